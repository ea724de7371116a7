package lab

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// refusal is what [Calls.Refuse] was told, and what came of it.
type refusal struct {
	errno unix.Errno
	left  int // so many are refused yet, or all if it is negative
	of    string
	names []string
	made  int // since then, with those that were not refused
}

// Refuse makes calls of the process fail with an error, as a disk that fails does, or a
// kernel that forbids something: the next ones of these names, so many of them, or all if
// times is negative. A name is as in "fdatasync" and "fcntl(F_SETFD)". Of is the path of the
// file or folder that the call's descriptor stands for, or "" for any.
//
// Only calls that [Calls] shows can be refused. There is one refusal at a time.
func (c *Calls) Refuse(errno unix.Errno, times int, of string, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusal = refusal{errno: errno, left: times, of: of, names: names}
}

// Made is how many such calls the process has made since Refuse, with those that were not
// refused any more.
func (c *Calls) Made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal.made
}

// refuses returns the error that the call is to fail with, or 0.
func (c *Calls) refuses(n notification) unix.Errno {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.refusal
	if !slices.Contains(r.names, n.name()) || r.of != "" && n.file() != r.of {
		return 0
	}
	r.made++
	if r.left == 0 {
		return 0
	}
	r.left = max(r.left-1, -1)
	return r.errno
}

// name is that of the call, and of what fcntl(2) is asked for.
func (n notification) name() string {
	if n.Number == unix.SYS_FCNTL {
		return fmt.Sprintf("fcntl(%s)", fcntls[n.Args[1]])
	}
	return shownCalls[n.Number]
}
