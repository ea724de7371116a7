package explain

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// onChild reports whether the wait is for the end of a child.
func (w *wait) onChild() bool {
	switch {
	case w.awaitsOutput():
		return true
	case w.how == inCall && (w.call == "wait4" || w.call == "waitid"):
		return true
	}
	// A pidfd can be polled: it is readable when its process has ended.
	return (w.how == inCall || w.how == inPoller) && w.file != nil && w.file.Kind == procfs.Pidfd
}

// explainChild says which process should end, and what it does instead.
func (c *Case) explainChild(w *wait) (lines, advice []string) {
	if w.awaitsOutput() {
		return c.explainOutput(w)
	}
	t := w.thread()
	pid := endFor(w.p, t)
	if w.file != nil && w.file.Kind == procfs.Pidfd {
		pid = w.file.Process
	}
	if pid > 0 {
		lines = []string{"It waits for the end of " + c.nameOf(pid) + c.doing(pid) + "."}
		return lines, c.childAdvice(w, t, pid)
	}
	return c.explainAnyChild(w)
}

// thread is the thread that is blocked. Where /proc does not tell the calls, the
// dump still shows the arguments.
func (w *wait) thread() *procfs.Thread {
	if w.t != nil || w.g == nil {
		return w.t
	}
	t := &procfs.Thread{Syscall: w.call}
	_, args, _ := w.g.Call()
	copy(t.Args[:], args)
	return t
}

// endFor is the process whose end a thread waits for in wait4(2) or waitid(2), 0
// if there is none or if any child would do.
func endFor(p *procfs.Process, t *procfs.Thread) int {
	switch {
	case t == nil || t.Running:
	case t.Syscall == "wait4":
		return int(max(0, int32(t.Args[0])))
	case t.Syscall == "waitid" && t.Args[0] == unix.P_PID:
		return int(int32(t.Args[1]))
	case t.Syscall == "waitid" && t.Args[0] == unix.P_PIDFD:
		if f := p.File(int(int32(t.Args[1]))); f != nil {
			return f.Process
		}
	}
	return 0
}

// explainAnyChild is about a wait that the end of any child would end.
func (c *Case) explainAnyChild(w *wait) (lines, advice []string) {
	lines = []string{"It waits for the end of any child of its own."}
	children := 0
	for i := range c.Processes {
		q := &c.Processes[i]
		if q.Parent != w.p.PID {
			continue
		}
		if children++; children == 1 {
			lines[0] += " It has"
		}
		lines = append(lines, "  "+name(q)+c.doing(q.PID))
	}
	if children == 0 {
		return append(lines, "None was found."), nil
	}
	return lines, []string{
		"A wait for any child also waits for children that you did not mean, and takes the status of those",
		"that os/exec waits for. Wait for each pid that you started (wait4(2)).",
	}
}

// childAdvice looks for the usual cause: the child waits for its parent.
func (c *Case) childAdvice(w *wait, t *procfs.Thread, pid int) []string {
	child := c.process(pid)
	switch {
	case child == nil:
		return nil
	case child.Zombie && t != nil && t.Syscall == "waitid" && t.Args[3]&unix.WEXITED == 0:
		return []string{"Without WEXITED waitid(2) does not tell the end of a child."}
	}
	for _, v := range c.waits(child) {
		if v.waitsForPipe() && hasOtherEnd(w.p, &v) {
			if v.readsPipe() {
				return []string{
					"The child reads until the end of its pipe, and the parent has the write end open.",
					"Close it before you wait for the child.",
				}
			}
			return []string{
				"The child cannot write on, because its parent waits for it and does not read.",
				"Read its output to the end first, then wait for it.",
			}
		}
	}
	return []string{"A parent waits as long as its child lives. What holds the child up is told in its own paragraph."}
}

// awaitsOutput reports whether exec.Cmd.Wait has seen its command end and waits
// for the goroutines that copy its output, or its input.
func (w *wait) awaitsOutput() bool {
	return w.how == inProcess && w.g != nil && w.g.Calls("os/exec.(*Cmd).awaitGoroutines")
}

// reaped is about a child whose end was taken by somebody who did not mean it.
// Nothing in the kernel remembers such a child but a pidfd, if the process still
// has one: os.StartProcess keeps it until the Process is waited for. So one that
// stands for nobody any more belongs to an end that its owner was never told.
func reaped(p *procfs.Process) (lines, advice []string) {
	for _, f := range p.Files {
		if f.Kind == procfs.Pidfd && f.Reaped {
			lines = append(lines, fmt.Sprintf("fd %d is the pidfd of a process that has ended, and somebody has waited for it already.", f.FD))
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	return lines, []string{
		"The end of a child is told once. wait4(2) with -1 takes it for every child,",
		"and code that waits for that very child is never told: wait for each pid that you started.",
	}
}
