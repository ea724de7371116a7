package explain

import (
	"fmt"
	"slices"
	"strings"
)

// isInside reports whether a goroutine waits for another one of the same process. Only
// a dump tells that.
func (w *wait) isInside() bool { return w.how == inProcess }

// explainGoroutine is about a goroutine that waits for another one of the same
// process.
func (c *Case) explainGoroutine(w *wait) (lines, advice []string) {
	if w.g.Calls("time.Sleep") {
		return c.explainSleep(w)
	}
	line := "It is in " + quote(w.g.Wait) + ": it waits inside its own process, not for another one."
	if len(w.same) > 0 {
		line = fmt.Sprintf("%d goroutines are there, in %s: they wait inside their own process, not for another one.",
			1+len(w.same), quote(w.g.Wait))
	}
	lines = []string{line}
	if s := wakesUp(w.g.Wait); s != "" {
		lines = append(lines, s)
	}
	lines = append(lines, w.besides()...)
	if taken, advice := reaped(w.p); taken != nil && !onLock(w.g.Wait) {
		return append(lines, taken...), advice
	}
	if onLock(w.g.Wait) || !w.callsToo || w.idle {
		advice = wakeAdvice(w.g.Wait)
	}
	return lines, advice
}

// besides names what the other goroutines of the learner's code do in the same
// process. Those that have a paragraph of their own are left out, unless they
// may hold the lock.
func (w *wait) besides() []string {
	var lines []string
	for _, v := range w.others {
		line := "  in " + v.doing() + " at " + where(v.frame)
		if n := len(v.same); n > 0 {
			line += fmt.Sprintf(" (%d goroutines)", n+1)
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("  and %d more", len(lines)-most))
	}
	head := "Your other goroutines in this process are"
	if onLock(w.g.Wait) {
		head = "Does one of your other goroutines in this process hold the lock?"
	}
	return append([]string{head}, lines...)
}

// doing is what a goroutine waits in, in a few words.
func (w *wait) doing() string {
	switch w.how {
	case inCall:
		return manual(w.call)
	case inPoller:
		return article(w.call)
	case burning:
		return "a loop that never sleeps"
	}
	return quote(w.g.Wait)
}

// onLock reports whether a reason to wait is a lock.
func onLock(reason string) bool {
	return strings.HasPrefix(reason, "sync.Mutex") || strings.HasPrefix(reason, "sync.RWMutex")
}

// A wake says what would end a wait, and what is usually wrong if nothing does.
// The reasons are those of the runtime (runtime/runtime2.go, waitReasonStrings).
type wake struct {
	is     func(reason string) bool
	text   string
	advice []string
}

func starts(prefix string) func(string) bool {
	return func(reason string) bool { return strings.HasPrefix(reason, prefix) }
}

var wakes = []wake{
	{func(r string) bool { return strings.HasSuffix(r, "(nil chan)") },
		"The channel is nil, so nothing can ever end this.",
		[]string{"A channel needs make before it is used."}},
	{starts("select (no cases)"), "A select without cases never ends.",
		[]string{"Wait for something that can come instead: for a channel that is closed at the end, or for a sync.WaitGroup."}},
	{starts("chan receive"),
		"It goes on when another goroutine sends on the channel or closes it.",
		[]string{"Is there a goroutine left that will send? The sender closes the channel after the last value,",
			"also when it ends with an error."}},
	{starts("chan send"),
		"It goes on when another goroutine receives from the channel.",
		[]string{"Is there a goroutine left that will receive? A channel without a buffer has no room at all."}},
	{starts("select"),
		"It goes on when one of the channels is ready.",
		[]string{"Is there a goroutine left that will send to, receive from or close one of these channels?"}},
	{starts("sync.RWMutex.Lock"),
		"It goes on when every reader has called RUnlock, and a writer before it Unlock.",
		[]string{"A read lock cannot become a write lock: RUnlock before Lock. Does every way out of the function unlock?"}},
	{starts("sync.RWMutex.RLock"),
		"It goes on when the writer calls Unlock. One that waits in Lock keeps new readers out, too.",
		[]string{"Does every way out of the function unlock? Write defer mu.RUnlock() right after mu.RLock(),",
			"and do not call RLock again while you have it."}},
	{onLock,
		"It goes on when the goroutine that holds the lock unlocks it.",
		[]string{"Does every way out of the function unlock? Write defer mu.Unlock() right after mu.Lock().",
			"A Go mutex cannot be locked twice by one goroutine, and it should not be held while a call waits."}},
	{starts("sync.WaitGroup"),
		"It goes on when every goroutine of the group is done.",
		[]string{"Does each of them come to its Done, also after an error? Was Add called for more than were started?"}},
	{starts("sync.Cond"),
		"It goes on when another goroutine calls Signal or Broadcast.",
		[]string{"Signal wakes only a goroutine that waits already. Test the condition in a loop, under the lock,",
			"and call Signal or Broadcast after each change of it."}},
}

func wakesUp(reason string) string      { return wakeOf(reason).text }
func wakeAdvice(reason string) []string { return wakeOf(reason).advice }

func wakeOf(reason string) wake {
	if i := slices.IndexFunc(wakes, func(k wake) bool { return k.is(reason) }); i >= 0 {
		return wakes[i]
	}
	return wake{}
}
