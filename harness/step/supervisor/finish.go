package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/verdict"
)

// finish ends the step: what still runs is noted, killed and reaped, and the
// report gets its finding.
func (s *step) finish() {
	decided := s.report.Finding.Verdict != ""
	left := s.leftovers(decided)
	s.kill()
	// Nobody holds the outputs any more, so they end.
	<-s.outputs
	<-s.outputs
	objects, err := s.remains()
	if removeErr := os.RemoveAll(s.dir); err == nil {
		err = removeErr
	}
	if err != nil && !decided {
		s.report.Finding = fault("cleaning up after the step: %v", err)
		return
	}
	if harm, tried := s.harmful(); tried {
		s.blame(harm)
		return
	}
	if decided || s.spec.Program {
		return
	}
	if f, crashed := s.crashed(); crashed {
		s.report.Test = s.phase
		s.report.Finding = f
		return
	}
	// What the lab found wrong weighs more than what stayed because of it.
	if said := s.report.Ends[s.last].Verdict; said == verdict.Pass && len(left)+len(objects) > 0 {
		s.report.Test = s.last
		s.report.Finding = verdict.Finding{Verdict: verdict.Residue, Message: leftText(left, objects)}
	}
}

// blame puts a signal that was refused before whatever else was found: what came of it is no
// news.
func (s *step) blame(harm verdict.Finding) {
	said := s.report.Finding
	if said.Verdict == "" {
		said = s.report.Ends[s.last]
	}
	if said.Message != "" && !strings.Contains(said.Message, harm.Message) {
		harm.Message += "\n\nThe step then:\n" + said.Message
	}
	harm.File, harm.Line = said.File, said.Line
	if s.report.Test == "" {
		s.report.Test = s.last
	}
	s.report.Finding = harm
}

// leftovers waits until the processes that outlived the test are gone or do
// not move any more, and returns those. One that is on its way out, because it
// saw the end of its parent, is no residue, however long it waits for a processor. One that stays
// is, also if it works.
func (s *step) leftovers(decided bool) []procfs.Process {
	if decided {
		return nil
	}
	first := procfs.Look(s.pids())
	last, begun, delayed := first, time.Now(), procfs.Delayed(s.pids())
	for {
		s.reap()
		pids := s.pids()
		if len(pids) == 0 {
			return nil
		}
		procfs.Pause(settleGap)
		now := procfs.Look(s.pids())
		late := time.Since(begun) - max(procfs.Delayed(s.pids())-delayed, 0)
		if now.Asleep() && now.SameAs(last) || late > s.spec.Deadline || now.MostCPU(first) > s.spec.Deadline {
			break
		}
		last = now
	}
	var left []procfs.Process
	for _, pid := range s.pids() {
		if p, err := procfs.Read(pid); err == nil && p.State != 'Z' {
			left = append(left, p)
		}
	}
	return left
}

// kill kills and reaps until nothing is left. A process may start others while
// this goes on, so one round is not enough; whoever loses its parent becomes a
// child of this process and is found in the next one.
func (s *step) kill() {
	for {
		pids := s.pids()
		for _, pid := range pids {
			// First stopped, then killed: what is stopped starts nothing.
			unix.Kill(pid, unix.SIGSTOP)
		}
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGKILL)
		}
		children := s.children()
		if len(children) == 0 {
			return
		}
		for _, pid := range children {
			if pid == s.cmd.Process.Pid {
				s.report.Code = ExitStatus(<-s.exited) // os/exec reaps this one
				continue
			}
			var status unix.WaitStatus
			unix.Wait4(pid, &status, 0, nil)
		}
	}
}

// reap collects the orphans that have ended.
func (s *step) reap() {
	for _, pid := range s.children() {
		if pid != s.cmd.Process.Pid {
			var status unix.WaitStatus
			unix.Wait4(pid, &status, unix.WNOHANG, nil)
		}
	}
}

// ExitStatus turns the error of [exec.Cmd.Wait] into a number as a shell gives
// it: the exit status, or 128+n for signal n.
func ExitStatus(err error) int {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
