package lab

import "sync"

// heldNow are those that are held at this moment: see settle.
var heldNow held

type held struct {
	mu  sync.Mutex
	all map[*Calls]int // the pid
}

func (h *held) set(c *Calls, is bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[*Calls]int{}
	}
	if delete(h.all, c); is {
		h.all[c] = c.process.PID()
	}
}

func (h *held) pids() (pids []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, pid := range h.all {
		pids = append(pids, pid)
	}
	return pids
}
