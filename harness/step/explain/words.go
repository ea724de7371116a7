package explain

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ipcworkbook/harness/step/procfs"
)

// short is the function without its package: "(*Reader).Recv".
func short(f procfs.Frame) string {
	name, _, _ := strings.Cut(f.Func, "[") // type arguments have slashes too
	name = f.Func[strings.LastIndexByte(name, '/')+1:]
	if _, after, ok := strings.Cut(name, "."); ok {
		return after
	}
	return name
}

// where is "file:line, function".
func where(f procfs.Frame) string {
	return f.File + ":" + strconv.Itoa(f.Line) + ", " + short(f)
}

// manual writes a call as its manual page is called.
func manual(call string) string {
	if strings.Contains(call, " ") {
		return call // one that has no name here
	}
	return call + "(2)"
}

// article is for a goroutine in the poller. It is not in read(2), but that is
// what it will do next, and what the learner wrote.
func article(call string) string {
	if call == "accept" {
		return "an accept"
	}
	return "a " + call
}

// and joins names as people do: "a, b and c".
func and(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// seconds writes a duration as people say it: "2 s", "0.1 s".
func seconds(d time.Duration) string {
	s := fmt.Sprintf("%.1f", d.Seconds())
	return strings.TrimSuffix(s, ".0") + " s"
}

func quote(s string) string { return "“" + s + "”" }

// oneOf writes "1 connection" or "2 connections".
func oneOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// verb is the form of a verb for so many things.
func verb(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
