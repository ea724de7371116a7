package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
)

// serve serves clients until Ctrl-C.
func serve(address string) error {
	l, err := socket.Listen(address)
	if err != nil {
		return fmt.Errorf("the server cannot start: %w", err)
	}
	fmt.Printf("This is the server (pid %d). It listens at %s.\n", os.Getpid(), address)
	fmt.Printf("Start clients in other terminals, with: -talk %s\n", address)
	fmt.Println("Ctrl-C ends the server.")

	// Ctrl-C closes the Listener, and so its file goes. SIGKILL leaves it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		closed <- l.Close()
	}()

	var clients atomic.Int64
	if err := l.Serve(func(c *socket.Conn) { serveOne(c, clients.Add(1)) }); err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	stop() // where Serve has returned by itself
	if err := <-closed; err != nil {
		return fmt.Errorf("closing the listener: %w", err)
	}
	fmt.Printf("The server has closed. It had %s.\n", count(int(clients.Load()), "client"))
	return nil
}

func serveOne(c *socket.Conn, number int64) {
	name := fmt.Sprintf("client %d", number)
	peer, err := c.Peer()
	if err != nil {
		fmt.Printf("%s: asking the kernel who it is: %v\n", name, err)
		return
	}
	fmt.Printf("%s is there. The kernel says: pid %d, uid %d.\n", name, peer.PID, peer.UID)
	n, err := answer(c)
	if err != nil {
		fmt.Printf("%s: after %s: %v\n", name, count(n, "message"), err)
		return
	}
	fmt.Printf("%s: end of file after %s\n", name, count(n, "message"))
}

// answerTheFirst is the server of a single client, which has started it.
func answerTheFirst(c *socket.Conn) error {
	_, err := answer(c)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil // the client was killed
	}
	return err
}

// answer answers every message until the client sends no more. Then it says
// goodbye: the client has closed its direction, and ours is still open.
func answer(c *socket.Conn) (n int, err error) {
	for ; ; n++ {
		message, file, err := c.RecvFile()
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, fmt.Errorf("receiving: %w", err)
		}
		reply := bytes.ToUpper(message)
		if file != nil {
			reply = read(file)
		}
		if err := c.Send(reply); err != nil {
			return n, fmt.Errorf("answering: %w", err)
		}
	}
	if err := c.Send(fmt.Appendf(nil, "goodbye after %s", count(n, "message"))); err != nil {
		return n, fmt.Errorf("saying goodbye: %w", err)
	}
	return n, nil
}

// read reads a file that a client has lent. Where it lies, and whether we could open
// it ourselves, does not matter.
func read(file *os.File) []byte {
	defer file.Close()
	const enough = 1 << 16
	text, err := io.ReadAll(io.LimitReader(file, enough))
	if err != nil {
		return []byte(err.Error())
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	return fmt.Appendf(nil, "my descriptor %d: %s, the first line is: %s", descriptor(file), count(len(text), "byte"), first)
}

// descriptor is the number that a file has in this process.
func descriptor(file *os.File) (fd uintptr) {
	if conn, err := file.SyscallConn(); err == nil {
		conn.Control(func(n uintptr) { fd = n })
	}
	return fd
}
