package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
)

// talkToTheSecond starts the server as a second process and talks to it.
func talkToTheSecond() error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	server, err := startSecond("answer", theirs)
	if err != nil {
		return fmt.Errorf("starting the server: %w", err)
	}
	fmt.Printf("This is the client (pid %d). The server is a second process (pid %d).\n", os.Getpid(), server.Process.Pid)
	fmt.Println("Type a line and press Enter: it goes there, and comes back in capitals.")
	fmt.Println("Ctrl-D ends the input. Ctrl-C ends both processes.")
	talkErr := converse(ours)
	ours.Close() // the server may still be there, and ends when we are not
	serverErr := server.Wait()
	fmt.Printf("client (pid %d): the server has ended: %v\n", os.Getpid(), server.ProcessState)
	if serverErr != nil {
		serverErr = fmt.Errorf("the server failed: %w", serverErr)
	}
	return errors.Join(talkErr, serverErr)
}

// talk talks to a server at an address.
func talk(address string) error {
	c, err := dial(address)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("Type a line and press Enter. Ctrl-D ends the input.")
	return converse(c)
}

// dial waits for the server, until Ctrl-C.
func dial(address string) (*socket.Conn, error) {
	fmt.Printf("This is a client (pid %d). It waits for a server at %s.\n", os.Getpid(), address)
	c, err := socket.Dial(context.Background(), address)
	if err != nil {
		return nil, fmt.Errorf("no connection: %w", err)
	}
	fmt.Println("The server is there.")
	return c, nil
}

// converse sends what is typed, and prints what comes back, both at the same time.
// So the end of the server is seen while somebody is still thinking what to type.
func converse(c *socket.Conn) error {
	var done atomic.Bool
	sent := make(chan error, 1)
	go func() {
		err := sendLines(c)
		done.Store(true)
		// No more will be sent. The connection stays: the server answers yet.
		sent <- errors.Join(err, c.CloseWrite())
	}()
	err := printAnswers(c)
	if !done.Load() {
		// The sender still waits for the keyboard.
		return errors.Join(errors.New("the server has closed the connection"), err)
	}
	return errors.Join(<-sent, err)
}

// sendLines sends what is typed, line by line, until Ctrl-D.
func sendLines(c *socket.Conn) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 2*socket.MaxMessage) // to refuse a line that is too long is Send's task
	for lines.Scan() {
		err := c.Send(lines.Bytes())
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
			return fmt.Errorf("sending a message: the server is gone: %w", err)
		}
		if err != nil {
			return fmt.Errorf("sending a message: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading what you type: %w", err)
	}
	return nil
}

// printAnswers prints every message until the server closes.
func printAnswers(c *socket.Conn) error {
	for {
		message, err := c.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		fmt.Printf("the server answers %s: %s\n", count(len(message), "byte"), message)
	}
}

// lend sends an open file to the server. The server gets a descriptor of its own
// for it.
func lend(path, address string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	c, err := dial(address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SendFile([]byte(path), file); err != nil {
		return fmt.Errorf("sending the descriptor: %w", err)
	}
	fmt.Printf("My descriptor %d has been sent.\n", descriptor(file))
	if err := c.CloseWrite(); err != nil {
		return fmt.Errorf("ending our direction: %w", err)
	}
	return printAnswers(c)
}

// count is a number and its noun: "1 byte", "5 bytes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
