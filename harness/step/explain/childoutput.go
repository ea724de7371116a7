package explain

import (
	"fmt"
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// explainOutput is about exec.Cmd.Wait, whose command has ended. Unless its
// output is an os.File, a goroutine of os/exec copies it from a pipe, and Wait
// returns when that is at its end. Only a dump shows those goroutines.
func (c *Case) explainOutput(w *wait) (lines, advice []string) {
	lines = []string{"Its command has ended, but exec.Cmd.Wait returns only when all of its output is copied, too."}
	found := false
	for _, g := range procfs.ParseDump(c.Dumps[w.p.PID]) {
		if g.CreatedBy.Func != "os/exec.(*Cmd).Start" || !g.InPoller() {
			continue
		}
		f, mode := w.p.PolledBy(&g)
		if f == nil || mode != 'r' {
			continue
		}
		if g.Calls("os/exec.(*Cmd).childStdin") {
			lines[0] = "Its command has ended, but exec.Cmd.Wait returns only when its Stdin has been read to the end, too."
			return append(lines, fmt.Sprintf("That is read from fd %d, %s.", f.FD, f.Target)), []string{
				"Stdin of exec.Cmd is copied until its end, even if nobody takes it any more.",
				"Give the command an os.File, or StdinPipe and close that. exec.Cmd.WaitDelay bounds the wait.",
			}
		}
		holders, unread := c.holders(*f, procfs.File.Writes)
		if !f.IsPipe() || slices.ContainsFunc(holders, holder.isRoleOutput) {
			continue
		}
		found = true
		line := fmt.Sprintf("It comes from fd %d, %s.", f.FD, f.Target)
		if len(holders) == 0 {
			lines = append(lines, line+" No write end of it was found.")
			lines = append(lines, unreadLine(unread)...)
			continue
		}
		lines = append(lines, line+" The write end is still open in")
		lines = append(lines, list(holders, w.p.PID)...)
	}
	if !found {
		return lines, nil
	}
	return lines, []string{
		"The command started a process that has inherited its stdout or stderr, and that lives on.",
		"End that one too, or give it another output. exec.Cmd.WaitDelay bounds the wait.",
	}
}

// isRoleOutput reports whether it is what a process of the lab prints. The lab
// starts those by os/exec too, and copies their output in the same way.
func (h holder) isRoleOutput() bool {
	return h.p.Control >= 0 && (h.file.FD == 1 || h.file.FD == 2)
}
