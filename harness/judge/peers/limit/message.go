package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// newMessage makes a message in which only the number is missing.
func newMessage(size int) []byte {
	p := make([]byte, size)
	for j := range p {
		p[j] = byte(j % 251)
	}
	return p
}

func setNumber(p []byte, number int) {
	if len(p) >= 8 {
		binary.BigEndian.PutUint64(p, uint64(number))
		return
	}
	for j := range p {
		p[j] = byte(number % 256)
	}
}

// check compares a message with what it should be. want is made by newMessage.
func check(got, want []byte, number int) error {
	setNumber(want, number)
	if bytes.Equal(got, want) {
		return nil
	}
	j := 0
	for got[j] == want[j] {
		j++
	}
	return fmt.Errorf("message %d: byte %d is %d instead of %d", number, j, got[j], want[j])
}
