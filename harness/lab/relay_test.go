package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// seeds is how many seeds each kind of adversity is shown with. A naive solution
// has to fail with every one.
const seeds = 12

func forSeeds(t *testing.T, test func(t *testing.T, l *Lab)) {
	for seed := range seeds {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			t.Setenv("IPC_SEED", strconv.Itoa(seed))
			test(t, New(t))
		})
	}
}

// What the tests send: a length of 4 bytes and so many bytes.
const headerSize = 4

func framed(n int) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(n))
	for i := range n {
		frame = append(frame, byte(i))
	}
	return frame
}

// Some frames of up to so many bytes.
const frames, longest = 30, 80

var sendsFrames = NewRole("sends frames", func(c *Child) error {
	w := c.File("w")
	sizes := c.Rand("sizes")
	for range frames {
		if _, err := w.Write(framed(sizes.IntN(longest))); err != nil {
			return err
		}
	}
	return w.Close()
})

// receiver reads one frame.
type receiver func(r *os.File) ([]byte, error)

func right(r *os.File) ([]byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(header))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return body, nil
}

// oneReadEach takes one read for a header, and one for a message.
func oneReadEach(r *os.File) ([]byte, error) {
	header := make([]byte, headerSize)
	if n, err := r.Read(header); err != nil || n < headerSize {
		return nil, errors.Join(err, fmt.Errorf("a header of %d bytes", n))
	}
	body := make([]byte, binary.BigEndian.Uint32(header))
	n, err := r.Read(body)
	return body[:n], err
}

// hurried takes what does not come at once for lost.
func hurried(r *os.File) ([]byte, error) {
	if err := r.SetReadDeadline(time.Now().Add(time.Millisecond / 2)); err != nil {
		return nil, err
	}
	return right(r)
}

// littleIsTheEnd takes "no header is there now" for the end.
func littleIsTheEnd(r *os.File) ([]byte, error) {
	n, err := Waiting(r)
	if err == nil && n < headerSize {
		err = io.EOF
	}
	if err != nil {
		return nil, err
	}
	return right(r)
}

// receiveAll says how far a receiver comes.
func receiveAll(r *os.File, receive receiver, sizes func(int) int) error {
	for i := range frames {
		body, err := receive(r)
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if want := framed(sizes(longest))[headerSize:]; string(body) != string(want) {
			return fmt.Errorf("message %d: %x where %x was sent", i, body, want)
		}
	}
	if _, err := receive(r); err != io.EOF {
		return fmt.Errorf("after the last one: %v", err)
	}
	return nil
}

func TestRelayMakesReadsShort(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Lab) (r, w *os.File){"pipe": pipe, "socket": socketpair} {
		for _, naive := range []receiver{nil, oneReadEach, hurried, littleIsTheEnd} {
			t.Run(name, func(t *testing.T) {
				forSeeds(t, func(t *testing.T, l *Lab) {
					r, w := end(t, l)
					relayed := l.Relay(r, Around(headerSize))
					p := l.Start(sendsFrames, HandOver("w", w))
					sizes := source(l.seed(), fmt.Sprintf("%s, process 2, sends frames", t.Name()), "sizes").IntN
					if naive == nil {
						require.NoError(t, receiveAll(relayed, right, sizes))
						require.NoError(t, p.Wait())
						return
					}
					require.Error(t, receiveAll(relayed, naive, sizes))
					require.NoError(t, relayed.Close())
					p.Wait() // EPIPE, or it had written everything
				})
			})
		}
	}
}

// No piece is joined to another: not even by a reader that has room for all.
func TestAPieceComesAlone(t *testing.T) {
	forSeeds(t, func(t *testing.T, l *Lab) {
		r, w := pipe(t, l)
		_, err := w.Write(make([]byte, 60000))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		relayed := l.Relay(r, Around(headerSize))
		var got []int
		for buffer := make([]byte, 1<<16); ; {
			n, err := relayed.Read(buffer)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			require.LessOrEqual(t, n, largest)
			got = append(got, n)
		}
		want := &pieces{rand: source(l.seed(), t.Name()+", process 1, "+relay.name, "pieces"), sizes: []int{1, 3, 4, 5}}
		sum := 0
		for i, n := range got[:len(got)-1] {
			want.nextPause()
			// A page of the first pipe may end in the middle of a piece.
			require.LessOrEqual(t, n, want.next(), "piece %d", i)
			sum += n
		}
		require.Equal(t, 60000, sum+got[len(got)-1])
	})
}

// A relay sleeps, so that "blocks" is seen through it. Its other half works too:
// a write end of ours in front of it.
func TestARelaySleeps(t *testing.T) {
	l := New(t)
	r, w := pipe(t, l)
	relayed := l.Relay(w)
	read := l.Call("Read", func() error { _, err := r.Read(make([]byte, 1)); return err })
	read.Blocks("nothing was written")
	_, err := relayed.Write([]byte("xy"))
	require.NoError(t, err)
	read.Returns(nil)
	_, err = r.Read(make([]byte, 1))
	require.NoError(t, err)
	read = l.Call("Read", func() error { _, err := r.Read(make([]byte, 1)); return err })
	read.Blocks("everything was read")
	require.NoError(t, relayed.Close())
	read.Returns(io.EOF)
}

// A writer learns that the reader behind the relay is gone, also while it waits
// in a full pipe, and while the relay waits for bytes.
func TestEPIPEGoesThroughARelay(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Lab) (r, w *os.File){"pipe": pipe, "socket": socketpair} {
		t.Run(name, func(t *testing.T) {
			l := New(t)
			r, w := end(t, l)
			relayed := l.Relay(r)
			write := l.Call("Write", func() error { _, err := w.Write(make([]byte, 1<<20)); return err })
			write.Blocks("nobody reads")
			require.NoError(t, relayed.Close())
			write.Returns(unix.EPIPE)

			l = New(t)
			r, w = end(t, l)
			relayed = l.Relay(r)
			p := l.Start(waitsForGone, HandOver("w", w))
			p.Blocks("the reader is there")
			require.NoError(t, relayed.Close())
			require.NoError(t, p.Wait())
		})
	}
}

// waitsForGone waits for what poll(2) says of a writer without a reader.
var waitsForGone = NewRole("waits for the reader's end", func(c *Child) error {
	return control(c.File("w"), func(fd int) error {
		return poll([]unix.PollFd{{Fd: int32(fd)}})
	})
})

// One direction of a socket ends and the other goes on.
func TestHalfCloseGoesThroughARelay(t *testing.T) {
	forSeeds(t, func(t *testing.T, l *Lab) {
		client, server := socketpair(t, l)
		relayed := l.Relay(server, Around(headerSize))
		_, err := client.Write([]byte("a question"))
		require.NoError(t, err)
		require.NoError(t, control(client, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }))
		question, err := io.ReadAll(relayed)
		require.NoError(t, err)
		require.Equal(t, "a question", string(question))
		_, err = relayed.Write([]byte("an answer"))
		require.NoError(t, err)
		require.NoError(t, relayed.Close())
		answer, err := io.ReadAll(client)
		require.NoError(t, err)
		require.Equal(t, "an answer", string(answer))
	})
}

// What a relay is not for is said, and is no error of the learner's.
func TestNoRelayForAFile(t *testing.T) {
	f, err := os.Open("/dev/null")
	require.NoError(t, err)
	defer f.Close()
	l := New(t)
	_, _, err = l.ends(f, &relayed{})
	require.ErrorContains(t, err, "there is none for /dev/null")
}

func socketpair(t *testing.T, l *Lab) (r, w *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	r, w = os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	l.CloseAtEnd(r, w)
	return r, w
}
