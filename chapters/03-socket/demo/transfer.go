package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	socket "ipcworkbook/chapters/03-socket"
)

// The transfer: 8 MiB as 8,192 messages of 1 KiB.
const (
	messages    = 8192
	messageSize = 1024
)

// send8MiB sends them to a second process over a connection of some kind.
func send8MiB(connected func() (ours, theirs *socket.Conn, err error)) error {
	ours, theirs, err := connected()
	if err != nil {
		return err
	}
	defer ours.Close()
	consumer, err := startSecond("count", theirs)
	if err != nil {
		return fmt.Errorf("starting the consumer: %w", err)
	}
	fmt.Printf("The producer (pid %d) sends %d messages of %d bytes\n", os.Getpid(), messages, messageSize)
	fmt.Printf("to the consumer (pid %d). There is nothing to type.\n", consumer.Process.Pid)
	sendErr := sendAll(ours)
	if err := consumer.Wait(); err != nil {
		return errors.Join(sendErr, fmt.Errorf("the consumer failed: %w", err))
	}
	return sendErr
}

func sendAll(c *socket.Conn) error {
	defer c.Close()
	p := make([]byte, messageSize)
	for i := range messages {
		if err := c.Send(fill(p, i)); err != nil {
			return fmt.Errorf("sending message %d: %w", i+1, err)
		}
	}
	return nil
}

// countMessages receives the transfer and says what arrived.
func countMessages(c *socket.Conn) error {
	got, err := receiveAll(c)
	if err != nil {
		return fmt.Errorf("consumer (pid %d): %w", os.Getpid(), err)
	}
	verdict := "right"
	if !got.right {
		verdict = "wrong"
	}
	fmt.Printf("consumer (pid %d) received %s, %s. The checksum is %s.\n",
		os.Getpid(), count(got.messages, "message"), count(got.bytes, "byte"), verdict)
	if !got.right {
		return errors.New("what arrived is not what was sent")
	}
	fmt.Printf("This one run: %.0f KB/s (1 KB is 1,000 bytes).\n", float64(got.bytes)/1000/got.took.Seconds())
	fmt.Println("One run is no measurement. MEASURE.md says how to measure.")
	return nil
}

// received is what arrived until the end of the stream.
type received struct {
	messages, bytes int
	right           bool // the checksum is that of what was sent
	took            time.Duration
}

func receiveAll(c *socket.Conn) (got received, err error) {
	var start time.Time
	var message []byte
	sum := crc32.NewIEEE()
	for {
		message, err = c.RecvInto(message)
		if err == io.EOF {
			break
		}
		if err != nil {
			return got, fmt.Errorf("receiving after %s: %w", count(got.messages, "message"), err)
		}
		if got.messages == 0 {
			start = time.Now() // the start of the two processes is not the socket's work
		}
		got.messages++
		got.bytes += len(message)
		sum.Write(message)
	}
	got.took = time.Since(start)

	// Both sides know what is sent, so the right checksum is no secret.
	want := crc32.NewIEEE()
	p := make([]byte, messageSize)
	for i := range messages {
		want.Write(fill(p, i))
	}
	got.right = sum.Sum32() == want.Sum32()
	return got, nil
}

// fill makes message i. No two messages are alike, so a message that is lost,
// doubled, or out of order changes the checksum.
func fill(p []byte, i int) []byte {
	for at := 0; at < len(p); at += 4 {
		binary.BigEndian.PutUint32(p[at:], uint32(i*len(p)+at))
	}
	return p
}
