package explain

import (
	"fmt"

	"ipcworkbook/harness/step/procfs"
)

// onSystemV reports whether the wait is about a System V queue or semaphore.
func (w *wait) onSystemV() bool { return w.how == inCall && w.t != nil && w.t.SystemV != nil }

// explainSystemV says what is in the queue, or what the semaphore is at.
func (c *Case) explainSystemV(w *wait) (lines, advice []string) {
	switch w.call {
	case "msgrcv":
		return c.explainReceive(w)
	case "msgsnd":
		return c.explainSend(w)
	}
	return c.explainSemaphore(w)
}

// idAndKey name a System V object: "5 (key 0x1f)".
func idAndKey(v *procfs.SystemV) string {
	if v.Key == 0 {
		return fmt.Sprintf("%d (key IPC_PRIVATE)", v.ID)
	}
	return fmt.Sprintf("%d (key %#x)", v.ID, v.Key)
}
