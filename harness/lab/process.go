package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/supervisor"
	"ipcworkbook/harness/verdict"
)

// Process is a child process that plays a role.
type Process struct {
	lab    *Lab
	role   string
	cmd    *exec.Cmd
	line   *line
	output *supervisor.Output
	number int // of those that the test has started
	lines  int // the descriptors of its two lines begin here

	begun   chan struct{}        // closed when the role has begun, or ended before
	refused string               // why it could not begin; read after begun is closed
	reports chan json.RawMessage // closed after the last one
	early   []json.RawMessage    // were taken out of reports, and belong before the others
	ended   chan struct{}        // closed when the process is reaped
	err     error                // how it ended; read after ended is closed
	crash   verdict.Finding      // set if it crashed
	killed  bool                 // it was, by SIGKILL; read after ended is closed
	doomed  atomic.Bool          // it is to be killed by SIGKILL: that is no failure
	dies    bool                 // how it ends is the test's question: that is no failure either
	checked bool                 // the test has looked at how it ended
}

// Start starts a process that plays a role. It gets what is handed over, and
// nothing else of this process. The test ends only when the process has ended;
// one that returned an error or crashed fails the test.
func (l *Lab) Start(r *Role, handed ...Handed) *Process {
	l.t.Helper()
	p := l.launch(r, handed)
	l.processes = append(l.processes, p)
	return p
}

// launch is Start for a process that the test need not know of.
func (l *Lab) launch(r *Role, handed []Handed) *Process {
	l.t.Helper()
	p := &Process{
		lab: l, role: r.name, number: len(l.launched) + 1, output: &supervisor.Output{},
		begun: make(chan struct{}), reports: make(chan json.RawMessage, 1024), ended: make(chan struct{}),
	}
	if err := p.start(handed); err != nil {
		if p.line != nil {
			p.line.f.Close()
		}
		if none := noNamespace(""); errors.As(err, &none) {
			l.Unsupported("%v", none)
		}
		l.Fault("starting %s: %v", r.name, err)
	}
	l.launched = append(l.launched, p)
	// From here on a process that does not move waits in its role, and not
	// for its turn to start.
	<-p.begun
	if p.refused != "" {
		<-p.ended
		l.Unsupported("%s", p.refused)
	}
	for _, h := range handed {
		if h.ours == nil {
			continue
		}
		if err := h.ours.Close(); err != nil {
			l.fail(failure{Verdict: verdict.Wrong, Call: "Close() of what was handed over",
				Detail: []string{"expected: no error", "got:      " + err.Error()}})
		}
	}
	return p
}

func (p *Process) start(handed []Handed) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "line"), os.NewFile(uintptr(fds[1]), "line")
	defer theirs.Close()
	p.line = newLine(ours)

	p.cmd = exec.Command("/proc/self/exe")
	p.cmd.Args = []string{p.role} // what ps shows
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	input, err := supervisor.NoInput()
	if err != nil {
		return err
	}
	defer input.Close()
	p.cmd.Stdin = input
	// Ends with the test, however that ends.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// A grandchild that outlives the process may hold its output open.
	p.cmd.WaitDelay = outputDelay

	g := given{Files: map[string]int{}, Texts: map[string]string{}, Seed: p.lab.seed(),
		Stream: fmt.Sprintf("%s, process %d, %s", p.lab.t.Name(), p.number, p.role)}
	var how beginning
	const first = 3 // after standard input, output and error
	for _, h := range handed {
		if h.begin != nil {
			h.begin(&how)
		}
		switch {
		case h.end != nil:
		case h.begin != nil:
			continue
		default:
			g.Texts[h.name] = h.text
			continue
		}
		f, err := dup(h.end, h.name)
		if err != nil {
			return fmt.Errorf("handing over %s: %w", h.name, err)
		}
		defer f.Close()
		g.Files[h.name] = first + len(p.cmd.ExtraFiles)
		p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, f)
	}
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	p.lines = first + len(p.cmd.ExtraFiles)
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, theirs, crashLine)
	p.cmd.Env = append(os.Environ(),
		verdict.EnvRole+"="+p.role,
		envGiven+"="+string(text),
		fmt.Sprintf("%s=%d", verdict.EnvControl, p.lines),
		fmt.Sprintf("%s=%d", verdict.EnvCrash, p.lines+1))
	if _, shows := g.Files[callsName]; shows {
		p.cmd.Env = append(p.cmd.Env, asIfKillable()...)
	}
	preparing, err := how.prepare.environment()
	if err != nil {
		return err
	}
	p.cmd.Env = append(p.cmd.Env, preparing...)
	p.dies = how.dies
	if err := how.apply(p.cmd.SysProcAttr, g.Files); err != nil {
		return err
	}
	core := -1
	if n, err := strconv.Atoi(os.Getenv(verdict.EnvCore)); err == nil {
		core = n
	}
	err = onLastingThread(func() error {
		return how.start(func() error { return supervisor.OnCore(core, p.cmd.Start) })
	})
	if err != nil {
		return err
	}
	go p.follow()
	return nil
}

// follow takes the process's reports and its end.
func (p *Process) follow() {
	var last message
	begun := sync.OnceFunc(func() { close(p.begun) })
	for {
		var m message
		if p.line.receive(&m) != nil {
			break
		}
		if m.Begun {
			begun()
			continue
		}
		if m.Done {
			last = m
			continue
		}
		if m.Refused != "" {
			p.refused = m.Refused
			break
		}
		if m.Seeded {
			p.lab.useSeed()
			continue
		}
		if m.Dies {
			p.doomed.Store(true)
			p.kill()
			continue
		}
		p.reports <- m.Report
	}
	begun()
	close(p.reports)
	err := supervisor.Wait(p.cmd)
	p.line.f.Close()
	p.killed = p.doomed.Load() && supervisor.ExitStatus(err) == 128+int(unix.SIGKILL)
	switch {
	case last.Done && last.Err != "":
		p.err = fmt.Errorf("%s: %s", p.role, last.Err)
	case last.Done:
	case p.killed:
		p.err = fmt.Errorf("%s was killed by the test", p.role)
	default:
		p.crash = supervisor.Crash(p.name(), supervisor.ExitStatus(err), p.output.Bytes(), folder)
		p.err = errors.New(p.crash.Message)
	}
	how := "its part in the test is over"
	switch {
	case p.killed:
		how = "it was killed by the test"
	case p.err != nil:
		how = p.err.Error()
	}
	cause := p.crash
	if p.err != nil && !p.killed && cause.Verdict == "" {
		cause = finding(cause, p.name()+" ended with an error", p.err).finding()
	}
	if p.dies {
		cause = verdict.Finding{}
	}
	up.send(verdict.Event{Kind: verdict.Child, Role: p.role, PID: p.cmd.Process.Pid, How: how, Finding: cause})
	close(p.ended)
}

func (p *Process) name() string { return fmt.Sprintf("%s (pid %d)", p.role, p.cmd.Process.Pid) }

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Go tells the process to go on from its Wait.
func (p *Process) Go() { p.line.send(struct{}{}) }

// Report takes the next value that the process reports, and waits for it. It
// fails the test when the process ends without one.
func (p *Process) Report(to any) {
	p.lab.t.Helper()
	text, ok := p.report()
	if !ok {
		<-p.ended
		p.checked = true
		p.lab.fail(finding(p.crash, p.role+" ended before it reported what the test waits for", p.err))
	}
	if err := json.Unmarshal(text, to); err != nil {
		p.lab.Fault("report of %s: %v", p.role, err)
	}
}

func (p *Process) report() (text json.RawMessage, ok bool) {
	if len(p.early) > 0 {
		text, p.early = p.early[0], p.early[1:]
		return text, true
	}
	text, ok = <-p.reports
	return text, ok
}

// soon waits for the next report, which Report takes then, until everything in the step sleeps
// or it is plain that something always moves.
func (p *Process) soon() (reported, asleep bool) {
	if len(p.early) > 0 || p.within(patience) {
		return true, false
	}
	for range enough {
		asleep = settle()
		if p.within(0) {
			return true, asleep
		}
		if asleep {
			break
		}
	}
	return false, asleep
}

// within waits so long for a report, or for the end of all reports: Report tells then why
// there is none. With 0 it only looks. What is there counts, whatever the clock says: of
// two that are ready, select takes either.
func (p *Process) within(wait time.Duration) bool {
	take := func(text json.RawMessage, ok bool) bool {
		if ok {
			p.early = append(p.early, text)
		}
		return true
	}
	select {
	case text, ok := <-p.reports:
		return take(text, ok)
	default:
	}
	if wait == 0 {
		return false
	}
	select {
	case text, ok := <-p.reports:
		return take(text, ok)
	case <-time.After(wait):
		return false
	}
}

// patience is for how long nobody asks whether anything moves. Most answers come
// sooner, and asking takes time itself.
const patience = 50 * time.Millisecond

// Wait waits for the end of the process and returns the error of its role. A
// crash is an error too.
func (p *Process) Wait() error {
	<-p.ended
	p.checked = true
	return p.err
}

// Exit tells the process to go on and waits for its end, which has to be clean.
func (p *Process) Exit() {
	p.lab.t.Helper()
	p.Go()
	p.mustEndWell()
}

func (p *Process) mustEndWell() {
	p.lab.t.Helper()
	if err := p.Wait(); err != nil {
		p.lab.fail(finding(p.crash, p.role+" ended with an error", err))
	}
}

// Kill ends the process by SIGKILL, as the kernel or a user would, and waits
// until it is gone.
func (p *Process) Kill() {
	p.doomed.Store(true)
	p.kill()
	<-p.ended
	p.checked = true
}

// kill sends SIGKILL. Where this process may send no signals, the supervisor does: see
// [Lab.Calls].
func (p *Process) kill() {
	if errors.Is(p.cmd.Process.Kill(), unix.ENOSYS) {
		up.send(verdict.Event{Kind: verdict.Kill, PID: p.PID()})
	}
}

// Blocks asserts that the process is there and does not go on: everything in
// the step sleeps. Evidence says what the kernel shows meanwhile.
func (p *Process) Blocks(why string, evidence ...Evidence) {
	p.lab.t.Helper()
	p.lab.blocks(p.role, p.ended, func() error { return p.err }, why, evidence)
}

// finding prefers the crash, which says more than the error.
func finding(crash verdict.Finding, what string, err error) failure {
	if crash.Verdict != "" {
		return failure{Verdict: crash.Verdict, Call: what, Detail: []string{crash.Message}, File: crash.File, Line: crash.Line}
	}
	f := failure{Verdict: verdict.Wrong, Call: what}
	if err != nil {
		f.Detail = strings.Split(err.Error(), "\n")
	}
	return f
}
