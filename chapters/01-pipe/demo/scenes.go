package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
)

// The talk: every line becomes a message.

func talk() error {
	return produce("talk", func(w *pipe.Writer, consumer int) error {
		fmt.Printf("This is the producer (pid %d). The consumer is a second process (pid %d).\n", os.Getpid(), consumer)
		fmt.Println("Type a line and press Enter: it goes through the pipe as one message.")
		fmt.Println("Ctrl-D ends the input. Ctrl-C ends both processes.")
		return sendLines(w)
	})
}

// sendLines sends what is typed, line by line, until Ctrl-D.
func sendLines(w *pipe.Writer) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 2*pipe.MaxMessage) // to refuse a line that is too long is Send's task
	for lines.Scan() {
		err := w.Send(lines.Bytes())
		if errors.Is(err, unix.EPIPE) {
			return fmt.Errorf("sending a message: no reader is left: %w", err)
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

// printMessages prints every message until the last writer has closed.
func printMessages(r *pipe.Reader) error {
	me := fmt.Sprintf("consumer (pid %d)", os.Getpid())
	for n := 0; ; n++ {
		message, err := r.Recv()
		if err == io.EOF {
			fmt.Printf("%s: end of file after %s, no writer is left\n", me, count(n, "message"))
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: receiving after %s: %w", me, count(n, "message"), err)
		}
		fmt.Printf("%s received %s: %s\n", me, count(len(message), "byte"), message)
	}
}

// The FIFO: the same talk, but the two processes do not know each other. They
// meet at a path.

func readFIFO(path string) error {
	fmt.Printf("This is the consumer (pid %d). It waits until a writer opens the FIFO.\n", os.Getpid())
	fmt.Printf("Start the other side in another terminal, with: ./task demo chapter=1 -- -fifo %s write\n", path)
	r, err := pipe.OpenReader(path)
	if err != nil {
		return fmt.Errorf("opening the FIFO for reading: %w", err)
	}
	defer r.Close()
	fmt.Println("A writer is there.")
	if err := printMessages(r); err != nil {
		return err
	}
	fmt.Printf("The FIFO itself stays, as a file does. To remove it: rm %s\n", path)
	return nil
}

func writeFIFO(path string) error {
	fmt.Printf("This is the producer (pid %d). It waits until a reader opens the FIFO.\n", os.Getpid())
	fmt.Printf("Start the other side in another terminal, with: ./task demo chapter=1 -- -fifo %s read\n", path)
	w, err := pipe.OpenWriter(path)
	if err != nil {
		return fmt.Errorf("opening the FIFO for writing: %w", err)
	}
	defer w.Close()
	fmt.Println("A reader is there. Type a line and press Enter. Ctrl-D ends the input.")
	return sendLines(w)
}

// The transfer: 8 MiB as 8,192 messages of 1 KiB.

const (
	messages    = 8192
	messageSize = 1024
)

func send8MiB() error {
	return produce("transfer", func(w *pipe.Writer, consumer int) error {
		fmt.Printf("The producer (pid %d) sends %d messages of %d bytes\n", os.Getpid(), messages, messageSize)
		fmt.Printf("to the consumer (pid %d). There is nothing to type.\n", consumer)
		p := make([]byte, messageSize)
		for i := range messages {
			if err := w.Send(fill(p, i)); err != nil {
				return fmt.Errorf("sending message %d: %w", i+1, err)
			}
		}
		return nil
	})
}

// countMessages receives the transfer and says what arrived.
func countMessages(r *pipe.Reader) error {
	var n, size int
	var start time.Time
	sum := crc32.NewIEEE()
	for {
		message, err := r.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("consumer (pid %d): receiving after %s: %w", os.Getpid(), count(n, "message"), err)
		}
		if n == 0 {
			start = time.Now() // the start of the two processes is not the pipe's work
		}
		n++
		size += len(message)
		sum.Write(message)
	}
	seconds := time.Since(start).Seconds()

	// Both sides know what is sent, so the right checksum is no secret.
	want := crc32.NewIEEE()
	p := make([]byte, messageSize)
	for i := range messages {
		want.Write(fill(p, i))
	}
	verdict := "right"
	if sum.Sum32() != want.Sum32() {
		verdict = "wrong"
	}
	fmt.Printf("consumer (pid %d) received %s, %s. The checksum is %s.\n",
		os.Getpid(), count(n, "message"), count(size, "byte"), verdict)
	if n != messages || verdict == "wrong" {
		return errors.New("what arrived is not what was sent")
	}
	fmt.Printf("This one run: %.0f KB/s (1 KB is 1,000 bytes).\n", float64(size)/1000/seconds)
	fmt.Println("One run is no measurement. MEASURE.md says how to measure.")
	return nil
}

// fill makes message i. No two messages are alike, so a message that is lost,
// doubled, or out of order changes the checksum.
func fill(p []byte, i int) []byte {
	for at := 0; at < len(p); at += 4 {
		binary.BigEndian.PutUint32(p[at:], uint32(i*len(p)+at))
	}
	return p
}

// count is a number and its noun: "1 byte", "5 bytes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
