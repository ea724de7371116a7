package lab

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A writer is killed after every number of bytes: a receiver that is right gets
// every whole message, and is told whether the cut was between two.
func TestKillAfterEveryByte(t *testing.T) {
	stream := append(framed(0), framed(3)...)
	for n := range len(stream) + 1 {
		forOneSeed(t, n, func(t *testing.T, l *Lab) {
			body, err := cut(t, l, n, right)
			require.Len(t, body, map[bool]int{false: 0, true: 3}[n == len(stream)])
			require.Equal(t, map[bool]error{false: io.ErrUnexpectedEOF, true: io.EOF}[n == 0 || n == headerSize || n == len(stream)], err)
		})
		if n > 2*headerSize && n < len(stream) {
			forOneSeed(t, n, func(t *testing.T, l *Lab) {
				body, _ := cut(t, l, n, endIsNoError)
				require.NotEmpty(t, body, "a short message for a whole one")
			})
		}
		if n == 2*headerSize {
			forOneSeed(t, n, func(t *testing.T, l *Lab) {
				_, err := cut(t, l, n, bodyMayBeMissing)
				require.Equal(t, io.EOF, err, "a header without its message for a clean end")
			})
		}
	}
}

// endIsNoError takes what is there at the end for a message.
func endIsNoError(r *os.File) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, int64(binary.BigEndian.Uint32(header))))
}

// bodyMayBeMissing takes what io.ReadFull says for what Recv has to say.
func bodyMayBeMissing(r *os.File) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(header))
	_, err := io.ReadFull(r, body)
	return body, err
}

func forOneSeed(t *testing.T, seed int, test func(t *testing.T, l *Lab)) {
	t.Run(fmt.Sprint("cut", seed), func(t *testing.T) {
		t.Setenv("IPC_SEED", fmt.Sprint(seed))
		test(t, New(t))
	})
}

// cut receives messages of 0 and of 3 bytes from a writer that is killed after n
// bytes, and returns the last that was received and the error after it.
func cut(t *testing.T, l *Lab, n int, receive receiver) (last []byte, err error) {
	t.Helper()
	r, w := pipe(t, l)
	victim := l.Start(writesOnAndOn, HandOver("w", w))
	relayed := l.Relay(r, Around(headerSize), KillAfter(n, victim))
	for {
		body, err := receive(relayed)
		if err != nil {
			require.ErrorContains(t, victim.Wait(), "was killed")
			return last, err
		}
		last = body
	}
}

var writesOnAndOn = NewRole("writes on and on", func(c *Child) error {
	w := c.File("w")
	for {
		if _, err := w.Write(append(framed(0), framed(3)...)); err != nil {
			return err
		}
	}
})

// A role that kills itself before a message is no failure, and its test sees what
// it had sent.
func TestDieBeforeAMessage(t *testing.T) {
	forSeeds(t, func(t *testing.T, l *Lab) {
		r, w := pipe(t, l)
		p := l.Start(diesBefore, HandOver("w", w))
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Len(t, got, source(l.seed(), t.Name()+", process 1, dies", "n").IntN(10))
		require.ErrorContains(t, p.Wait(), "was killed")
	})
}

var diesBefore = NewRole("dies", func(c *Child) error {
	n := c.Rand("n").IntN(10)
	for i := range 10 {
		if i == n {
			c.Die()
		}
		if _, err := c.File("w").Write([]byte{0}); err != nil {
			return err
		}
	}
	return nil
})

// A blocking write into a narrow pipe is short when a signal comes. Who does not
// look at the count, and who goes on only once, loses bytes.
func TestInterruptedWritesAreShort(t *testing.T) {
	const size = 50_000
	for name, want := range map[string]bool{"not at all": false, "once": false, "until it is done": true} {
		t.Run(name, func(t *testing.T) {
			l := New(t)
			var fds [2]int
			require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
			r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
			l.CloseAtEnd(r, w)
			l.Narrow(w)
			p := l.Start(writesRaw, HandOver("w", w), Tell("goes on", name))
			p.Blocks("the pipe is full")
			p.Interrupt(1)
			arrived, err := io.CopyN(io.Discard, r, int64(os.Getpagesize()))
			require.NoError(t, err)
			settle() // it waits again, or has ended
			p.Interrupt(1)
			rest, err := io.Copy(io.Discard, r)
			require.NoError(t, err)
			arrived += rest
			require.Equal(t, want, arrived == size, "%d bytes of %d", arrived, size)
		})
	}
}

var writesRaw = NewRole("writes raw", func(c *Child) error {
	bytes := make([]byte, 50_000)
	more := map[string]int{"not at all": 0, "once": 1, "until it is done": 1 << 30}[c.Text("goes on")]
	return control(c.File("w"), func(fd int) error {
		for ; more >= 0 && len(bytes) > 0; more-- {
			n, err := unix.Write(fd, bytes)
			if err != nil {
				return err
			}
			bytes = bytes[n:]
		}
		return nil
	})
})
