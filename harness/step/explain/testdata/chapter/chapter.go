// Package chapter is what a learner could have written: it waits in every way
// that the explanations know. It is imported by the tests only.
package chapter

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn is here so that the text has a method to show.
type Conn struct{ f *os.File }

func NewConn(f *os.File) *Conn { return &Conn{f} }

func (c *Conn) Recv() { check(c.f.Read(make([]byte, 100))) }

func (c *Conn) Send(n int) { check(c.f.Write(make([]byte, n))) }

func RawRecv(fd int) { check(unix.Read(fd, make([]byte, 100))) }

func RawSend(fd, n int) { check(unix.Write(fd, make([]byte, n))) }

func Poll(fd int) { check(unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)) }

// BareRecv does not tell the runtime that it blocks.
func BareRecv(fd int) {
	b := make([]byte, 100)
	syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 100)
}

func Open(path string, flag int) {
	f, err := os.OpenFile(path, flag, 0)
	check(0, err)
	f.Close()
}

// Spin uses no memory that the race detector watches: the runtime cannot show
// the stack of a thread that is in the detector's code.
func Spin() {
	for n := 0; ; n++ {
	}
}

// SpinRead asks again and again. The descriptor does not block.
func SpinRead(fd int) {
	b := make([]byte, 100)
	for {
		syscall.Syscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 100)
	}
}

func Receive() { <-make(chan int) }

func Lock() {
	var mu sync.Mutex
	mu.Lock()
	mu.Lock()
}

func Select() {
	select {
	case <-make(chan int):
	case make(chan int) <- 1:
	}
}

// Feeder reads in one goroutine and waits for it in another.
func Feeder(f *os.File) {
	bytes := make(chan []byte)
	go func() {
		b := make([]byte, 100)
		n, _ := f.Read(b)
		bytes <- b[:n]
	}()
	<-bytes
}

func check(_ int, err error) {
	if err != nil {
		panic(err)
	}
}
