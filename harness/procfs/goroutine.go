package procfs

import "strings"

// explainGoroutine is about a goroutine that waits for another one of the same
// process.
func (w *wait) explainGoroutine() (lines, advice []string) {
	if w.g.Wait == "sleep" {
		return []string{"It is in time.Sleep."}, nil
	}
	lines = []string{"It is in " + quote(w.g.Wait) + ": it waits inside its own process, not for another one."}
	if s := wakesUp(w.g.Wait); s != "" {
		lines = append(lines, s)
	}
	return lines, nil
}

func quote(s string) string { return "“" + s + "”" }

// wakesUp says what would end a wait. The reasons are those of the runtime
// (runtime/runtime2.go, waitReasonStrings).
func wakesUp(reason string) string {
	switch {
	case strings.HasSuffix(reason, "(nil chan)"):
		return "The channel is nil, so nothing can ever end this."
	case reason == "select (no cases)":
		return "A select without cases never ends."
	case strings.HasPrefix(reason, "chan receive"):
		return "It goes on when another goroutine sends on the channel or closes it."
	case strings.HasPrefix(reason, "chan send"):
		return "It goes on when another goroutine receives from the channel."
	case strings.HasPrefix(reason, "select"):
		return "It goes on when one of the channels is ready."
	case strings.HasPrefix(reason, "sync.Mutex") || strings.HasPrefix(reason, "sync.RWMutex"):
		return "It goes on when the goroutine that holds the lock unlocks it."
	case strings.HasPrefix(reason, "sync.WaitGroup"):
		return "It goes on when every goroutine of the group is done."
	case strings.HasPrefix(reason, "sync.Cond"):
		return "It goes on when another goroutine calls Signal or Broadcast."
	}
	return ""
}
