package supervisor

import (
	"bytes"
	"strconv"
	"sync"
)

// Output keeps the beginning and the end of what is written to it, so that a
// program that floods its output costs no memory and loses neither.
type Output struct {
	mu   sync.Mutex
	head bytes.Buffer
	last []byte
	cut  int
}

const keep = 64 << 10

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	if room := keep - o.head.Len(); room > 0 {
		m := min(room, len(p))
		o.head.Write(p[:m])
		p = p[m:]
	}
	o.last = append(o.last, p...)
	if len(o.last) > 2*keep {
		drop := len(o.last) - keep
		o.cut += drop
		o.last = append(o.last[:0], o.last[drop:]...)
	}
	return n, nil
}

// Bytes returns what was kept. A note says how much was left out.
func (o *Output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut == 0 {
		return append(bytes.Clone(o.head.Bytes()), o.last...)
	}
	note := "\n… " + strconv.Itoa(o.cut) + " bytes of output left out …\n"
	return append(append(bytes.Clone(o.head.Bytes()), note...), o.last...)
}
