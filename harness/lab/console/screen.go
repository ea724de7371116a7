package console

import (
	"bytes"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// limit is how many bytes a console takes. A program that prints without end
// waits from then on, as at a terminal that is stopped.
const limit = 1 << 20

// screen keeps everything that comes from a terminal, and hands it on to
// goexpect.
type screen struct {
	out  *output
	over chan struct{} // closed when nothing more comes

	mu   sync.Mutex
	seen []byte
}

// watch reads the terminal until its end.
func watch(terminal *os.File) *screen {
	r, w := io.Pipe()
	s := &screen{
		out:  &output{r: r, done: make(chan struct{})},
		over: make(chan struct{}),
	}
	go func() {
		defer close(s.over)
		defer w.Close()
		buf := make([]byte, 4096)
		var lines lineEnds
		for !s.full() {
			// The end of a terminal's output is EIO: no process has it open any
			// more. Another error ends it as well.
			n, err := terminal.Read(buf)
			text := lines.convert(buf[:n], err != nil)
			s.mu.Lock()
			s.seen = append(s.seen, text...)
			s.mu.Unlock()
			w.Write(text) // an error means that nobody expects anything any more
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.seen)
}

func (s *screen) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen) >= limit
}

// output is the reader that goexpect has. It knows when goexpect has seen the
// end.
type output struct {
	r     *io.PipeReader
	ended atomic.Bool
	done  chan struct{}
}

func (o *output) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && o.ended.CompareAndSwap(false, true) {
		close(o.done)
	}
	return n, err
}

// end makes this the end, whatever is still to come.
func (o *output) end() { o.r.Close() }

// lineEnds turns CRLF into LF. A terminal sends CRLF for the line feed that a
// program writes.
type lineEnds struct {
	cr bool // the last piece ended in a CR, which waits for what follows
}

func (l *lineEnds) convert(p []byte, last bool) []byte {
	var text []byte
	if l.cr {
		text = append(text, '\r')
	}
	text = append(text, p...)
	l.cr = !last && bytes.HasSuffix(text, []byte("\r"))
	if l.cr {
		text = text[:len(text)-1]
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
}
