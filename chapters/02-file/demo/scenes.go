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

	file "ipcworkbook/chapters/02-file"
)

// The talk: every line becomes a record.

func talk(d file.Durability) error {
	return produce("talk", d, func(w *file.Writer, consumer int, path string) error {
		fmt.Printf("This is the producer (pid %d). The consumer is a second process (pid %d).\n", os.Getpid(), consumer)
		fmt.Printf("All that connects them is a file: %s\n", path)
		fmt.Println("Type a line and press Enter: it is appended to the file as one record.")
		fmt.Println("Ctrl-D ends the input. Ctrl-C ends both processes.")
		return sendLines(w)
	})
}

// sendLines sends what is typed, line by line, until Ctrl-D.
func sendLines(w *file.Writer) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 2*file.MaxMessage) // to refuse a line that is too long is Send's task
	for lines.Scan() {
		if err := w.Send(lines.Bytes()); err != nil {
			return fmt.Errorf("sending a record: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading what you type: %w", err)
	}
	return nil
}

// printRecords prints every record until the end mark.
func printRecords(r *file.Reader) error {
	me := fmt.Sprintf("consumer (pid %d)", os.Getpid())
	cut := false
	for n := 0; ; {
		record, err := r.Recv()
		switch {
		case err == nil:
			fmt.Printf("%s received %s: %s\n", me, count(len(record), "byte"), record)
			n++
		case err == io.EOF:
			fmt.Printf("%s: the end mark after %s\n", me, count(n, "record"))
			return nil
		case errors.Is(err, file.ErrTruncated) && !cut:
			// A torn tail was cut off, perhaps. Then the next Recv goes on.
			fmt.Printf("%s: bytes of the file are gone: %v\n", me, err)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%s: after %s a torn one, and no writer is left: %w", me, count(n, "record"), err)
		default:
			return fmt.Errorf("%s: receiving after %s: %w", me, count(n, "record"), err)
		}
		cut = err != nil
	}
}

// The file: the same talk, but the two processes do not know each other. They meet
// at a path, and not at the same time perhaps.

func read(path string) error {
	r, err := file.OpenReader(path)
	if err != nil {
		return fmt.Errorf("opening the file to follow it: %w", err)
	}
	defer r.Close()
	fmt.Printf("This is the consumer (pid %d). It follows the file until its end mark.\n", os.Getpid())
	return printRecords(r)
}

func write(path string, d file.Durability) error {
	w, err := file.OpenWriter(path, d)
	if errors.Is(err, file.ErrEnded) {
		return fmt.Errorf("opening the file to append to it: %w (to begin anew: rm %s)", err, path)
	}
	if err != nil {
		return fmt.Errorf("opening the file to append to it: %w", err)
	}
	fmt.Printf("This is the producer (pid %d). It has the file locked.\n", os.Getpid())
	fmt.Println("Type a line and press Enter. Ctrl-D ends the input, and the file with it.")
	err = errors.Join(sendLines(w), w.Close())
	if err == nil {
		fmt.Printf("The file stays. To remove it: rm %s\n", path)
	}
	return err
}

// The transfer: 8 MiB as 8,192 messages of 1 KiB.

const (
	messages    = 8192
	messageSize = 1024
)

func send8MiB(d file.Durability) error {
	return produce("transfer", d, func(w *file.Writer, consumer int, path string) error {
		fmt.Printf("The producer (pid %d) sends %d messages of %d bytes\n", os.Getpid(), messages, messageSize)
		fmt.Printf("to the consumer (pid %d), through a file. There is nothing to type.\n", consumer)
		p := make([]byte, messageSize)
		for i := range messages {
			if err := w.Send(fill(p, i)); err != nil {
				return fmt.Errorf("sending message %d: %w", i+1, err)
			}
		}
		return nil
	})
}

// countRecords receives the transfer and says what arrived.
func countRecords(r *file.Reader) error {
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
			start = time.Now() // the start of the two processes is not the file's work
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
