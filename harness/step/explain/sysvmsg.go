package explain

import (
	"fmt"
	"slices"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

const msgExcept = 0o20000 // MSG_EXCEPT of msgrcv(2)

// wanted says in words which messages msgrcv(2) was asked for. One is false for
// any type.
func wanted(t *procfs.Thread) (words string, one bool) {
	switch n := int64(t.Args[3]); {
	case n == 0:
		return "a message of any type", false
	case n < 0:
		return fmt.Sprintf("the message of the lowest type from 1 to %d", -n), true
	case t.Args[4]&msgExcept != 0:
		return fmt.Sprintf("a message of any type but %d", n), true
	default:
		return fmt.Sprintf("a message of type %d", n), true
	}
}

// explainReceive says what is in the queue instead of what was asked for.
func (c *Case) explainReceive(w *wait) (lines, advice []string) {
	v := w.t.SystemV
	what, one := wanted(w.t)
	lines = []string{fmt.Sprintf("It asks queue %s for %s.", idAndKey(v), what)}
	q := v.Queue
	switch {
	case q.Sender == 0:
		lines = append(lines, "Nobody has ever sent a message to this queue.")
		return lines, neverSent(v)
	case q.Messages == 0:
		lines = append(lines, "The queue is empty. The last message was sent by "+c.who(q.Sender)+".",
			"The last one who received was "+c.who(q.Receiver)+".")
		return lines, []string{"All that was sent has been received: msgrcv(2) waits until somebody sends such a message.",
			"Does it receive once more than the others send?"}
	}
	if !one {
		return append(lines, fillLine(q)), nil // it is about to return
	}
	line := fmt.Sprintf("%d messages are in it, and none of them fits.", q.Messages)
	if q.Messages == 1 {
		line = "1 message is in it, and it does not fit."
	}
	if len(q.Types) > 0 {
		line += " " + typesLine(q)
	}
	lines = append(lines, line, "The last one was sent by "+c.who(q.Sender)+".")
	return lines, []string{"msgrcv(2) passes over messages of other types and waits, however many there are.",
		"Sender and receiver have to mean the same type: mtype in msgsnd(2), msgtyp in msgrcv(2)."}
}

func neverSent(v *procfs.SystemV) []string {
	if v.Key == 0 {
		return []string{"With IPC_PRIVATE each msgget(2) makes a queue of its own.",
			"Processes meet in one queue if they use the same key, or if one tells the other the id."}
	}
	return []string{"Does the sender use the same key? And did its msgsnd(2) return an error that nobody looked at?"}
}

// typesLine is "Their types are 1 and 2."
func typesLine(q *procfs.MessageQueue) string {
	distinct := slices.Clone(q.Types)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	var names []string
	for _, n := range distinct[:min(len(distinct), most)] {
		names = append(names, fmt.Sprint(n))
	}
	switch {
	case len(names) < len(distinct) || len(q.Types) < q.Messages:
		return "Among their types are " + strings.Join(names, ", ") + "."
	case q.Messages == 1:
		return "Its type is " + names[0] + "."
	case len(names) == 1:
		return "All have type " + names[0] + "."
	}
	return "Their types are " + and(names) + "."
}

// explainSend says how full the queue is.
func (c *Case) explainSend(w *wait) (lines, advice []string) {
	v := w.t.SystemV
	size := int(w.t.Args[2])
	lines = []string{fmt.Sprintf("It sends a message of %d bytes to queue %s.", size, idAndKey(v))}
	q := v.Queue
	lines = append(lines, fillLine(q))
	if q.Capacity > 0 && size > q.Capacity {
		return lines, []string{"A message that is larger than the queue never fits. msgctl(2) can make the queue larger (msg_qbytes)."}
	}
	if q.Receiver == 0 {
		lines = append(lines, "Nobody has ever received from it.")
	} else {
		lines = append(lines, "The last one who received from it was "+c.who(q.Receiver)+".")
	}
	lines = append(lines, c.picky(w)...)
	return lines, []string{"msgsnd(2) into a full queue waits until somebody receives."}
}

// fillLine says how full the queue is. Room is counted in bytes of text.
func fillLine(q *procfs.MessageQueue) string {
	switch {
	case q.Messages == 1 && q.Capacity > 0:
		return fmt.Sprintf("1 message is in it: %d of its %d bytes are used.", q.Bytes, q.Capacity)
	case q.Capacity > 0:
		return fmt.Sprintf("%d messages are in it: %d of its %d bytes are used.", q.Messages, q.Bytes, q.Capacity)
	}
	return fmt.Sprintf("%d messages are in it, of %d bytes together.", q.Messages, q.Bytes)
}

// picky finds those who wait in msgrcv(2) for another type of message than the
// full queue has.
func (c *Case) picky(w *wait) []string {
	var lines []string
	for i := range c.Processes {
		p := &c.Processes[i]
		for j := range p.Threads {
			t := &p.Threads[j]
			if t.Syscall == "msgrcv" && t.SystemV != nil && t.SystemV.ID == w.t.SystemV.ID {
				what, _ := wanted(t)
				lines = append(lines, name(p)+" waits for "+what+", which is not in it.")
			}
		}
	}
	return lines
}
