// Package supervisor starts one step of a chapter, watches it, looks at it when
// it hangs, and kills and reaps all of it at the end, however the end comes.
//
// A supervisor is a small process that runs no learner code. Package launch
// starts it: a program that judges (the workbook), or a test binary that `go
// test` runs, starts itself again with [verdict.EnvSupervise] set, a
// [verdict.Spec] on standard input, a pidfd of itself as descriptor 3, and takes
// a [verdict.Report] from descriptor 4.
//
// The supervisor is the subreaper of all that the step starts (PR_SET_CHILD_SUBREAPER):
// a process whose parent is gone becomes its child, and cannot be lost. It ends
// with whoever started it: a pidfd of the parent says when that is gone, even
// by SIGKILL. It reaps only pids that it finds below itself, never -1: that
// would steal the exit statuses of os/exec.
package supervisor

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/step/residue"
	"ipcworkbook/harness/verdict"
)

// Enter turns this process into a supervisor if it was started as one, and does
// not return then. Every program that judges calls it first.
func Enter() {
	task := os.Getenv(verdict.EnvSupervise)
	if task == "" {
		return
	}
	os.Unsetenv(verdict.EnvSupervise)
	syscall.CloseOnExec(parentFD)
	syscall.CloseOnExec(reportFD)
	if task == verdict.Helper {
		tidy(os.Getenv(verdict.EnvTidy))
	}
	var spec verdict.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: reading the spec:", err)
		os.Exit(4)
	}
	report := run(spec)
	if err := json.NewEncoder(os.NewFile(reportFD, "report")).Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: writing the report:", err)
		os.Exit(4)
	}
	os.Exit(0)
}

// The descriptors that whoever starts a supervisor hands to it.
const (
	parentFD = 3 // a pidfd of the starter
	reportFD = 4 // the write end of a pipe
)

// run runs one test binary below this process and returns what it saw. It is
// called once in a process, and changes it.
func run(spec verdict.Spec) verdict.Report {
	s := &step{
		spec:   spec,
		report: verdict.Report{Ends: map[string]verdict.Finding{}, Measured: map[string]verdict.Measured{}},
		who:    map[int]string{},
		begun:  time.Now(),
		pace:   newPace(),
	}
	// Capabilities belong to threads.
	runtime.LockOSThread()
	if spec.Alone {
		if err := s.isolate(); err != nil {
			s.report.Refused = err.Error()
			return s.report
		}
	} else if isDir("/dev/mqueue") {
		s.queues = "/dev/mqueue"
	}
	if why := tooLittle(); why != "" {
		s.report.Finding = verdict.Finding{Verdict: verdict.Unsupported, Message: why}
		return s.report
	}
	if err := s.start(); err != nil {
		os.RemoveAll(s.dir)
		s.report.Finding = fault("starting the test binary: %v", err)
		return s.report
	}
	s.watch()
	s.finish()
	s.report.Took = time.Since(s.begun)
	if !spec.Show {
		s.report.Stdout, s.report.Stderr = s.outs.Bytes(), s.errs.Bytes()
	}
	return s.report
}

func fault(format string, args ...any) verdict.Finding {
	return verdict.Finding{Verdict: verdict.Fault, Message: fmt.Sprintf(format, args...)}
}

// step is one run of a test binary.
type step struct {
	spec   verdict.Spec
	report verdict.Report
	begun  time.Time

	cmd     *exec.Cmd
	exited  chan error // the test binary's end
	outputs chan error // one value for each copied output
	control *os.File   // the line to the lab
	dumps   *dumps     // of the runtime, from the crash line
	dumping atomic.Bool
	outs    *Output // what came on standard output
	errs    *Output // what came on standard error, to explain a crash
	dir     string  // the step's own folder, removed at the end
	queues  string  // where the POSIX queues can be listed, "" if nowhere

	events   chan verdict.Event // closed when the lab's line is closed
	parent   <-chan struct{}    // closed when whoever started us is gone
	signals  chan os.Signal
	settling bool
	settled  chan verdict.Settled

	before residue.Objects // what was there already
	who    map[int]string  // the processes of the step that the lab told of, with their roles

	phase     string // the test that runs, or "" between tests
	last      string // the test that runs or ran last
	bench     bool   // it is a benchmark
	ready     bool   // TestMain was reached
	phaseEnd  time.Time
	first     procfs.Sight  // when the phase began
	looked    *procfs.Sight // the first of the two looks
	alarm     time.Time     // until then who sleeps since that look may wake up by itself
	dozed     time.Duration // how long such sleeps have been waited for since the phase began
	pace      *pace         // how slow this machine is
	moved     uint64        // the bytes that were read and written until then
	delayed   time.Duration // how long its threads had waited for a processor at the last look
	waited    time.Duration // and since the deadline
	asked     time.Time     // when the test asked whether anything moves
	answering time.Duration // how long it has waited for our answers since the deadline
	unrest    int           // how many of the last answers were that it does not sleep
	guard     guard         // against signals to others
	ended     []explain.Ended
	cause     verdict.Finding // of a process that ended badly, if one did
}

// start starts the test binary with two descriptors of the supervisor's: the
// control line and the crash line.
func (s *step) start() error {
	// First of all: from here on there is something to clean up.
	s.signals = make(chan os.Signal, 4)
	signal.Notify(s.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	var err error
	if s.dir, err = os.MkdirTemp(s.tempDir(), "s"); err != nil {
		return err
	}
	if err := os.Mkdir(s.ownTemp(), 0o700); err != nil {
		return err
	}
	s.before = residue.Look(s.places())
	if s.parent, err = parentGone(); err != nil {
		return err
	}
	if err := limit(); err != nil {
		return err
	}
	control, err := socketpair(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	crash, err := socketpair(unix.SOCK_SEQPACKET)
	if err != nil {
		return err
	}
	s.control = control[0]
	s.dumps = collect(crash[0])

	s.cmd = exec.Command(s.spec.Path, s.spec.Args...)
	s.cmd.Dir = s.spec.Dir
	s.cmd.ExtraFiles = []*os.File{control[1], crash[1]}
	s.cmd.Env = append(os.Environ(), s.spec.Env...)
	// The race detector sleeps for a second at the end of each process, in case
	// a race is still to be reported by another thread. A step starts many.
	s.cmd.Env = append(s.cmd.Env, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	s.cmd.Env = append(s.cmd.Env,
		verdict.EnvControl+"=3", verdict.EnvCrash+"=4",
		// What the step makes in its folders is found at its end.
		verdict.EnvDir+"="+s.dir, "TMPDIR="+s.ownTemp())
	if s.spec.Alone {
		s.cmd.Env = append(s.cmd.Env, verdict.EnvAlone+"=1")
	}
	if s.queues != "" {
		s.cmd.Env = append(s.cmd.Env, verdict.EnvQueues+"="+s.queues)
	}
	// A session of its own: no signal of the terminal reaches the step, and
	// nothing that the step sends to its group reaches the terminal.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}

	s.outs, s.errs = &Output{}, &Output{}
	s.outputs = make(chan error, 2)
	out, errs := io.Discard, io.Discard
	if s.spec.Show {
		out, errs = os.Stdout, os.Stderr
	}
	stdout, err := s.copy(io.MultiWriter(out, s.outs))
	if err != nil {
		return err
	}
	stderr, err := s.copy(s.unlessDumping(io.MultiWriter(errs, s.errs)))
	if err != nil {
		return err
	}
	s.cmd.Stdout, s.cmd.Stderr = stdout, stderr
	stdin, err := NoInput()
	if err != nil {
		return err
	}
	s.cmd.Stdin = stdin

	err = s.onThread(func() error {
		return launch.WithSlack(launch.UsualSlack, func() error { return OnCore(s.spec.Core-1, s.cmd.Start) })
	})
	for _, theirs := range []*os.File{control[1], crash[1], stdin, stdout, stderr} {
		theirs.Close()
	}
	if err == nil {
		s.guard.leader = s.cmd.Process.Pid
	}
	close(s.guard.started)
	if err != nil {
		return err
	}
	s.who[s.cmd.Process.Pid] = "the test"
	s.exited = make(chan error, 1)
	go func() { s.exited <- Wait(s.cmd) }()
	s.events = make(chan verdict.Event)
	go s.listen()
	s.settled = make(chan verdict.Settled)
	s.begin("")
	return nil
}

// ownTemp is the step's own folder for temporary files.
func (s *step) ownTemp() string { return filepath.Join(s.dir, "tmp") }

// tempDir is the folder in which all that is temporary of this run is.
func (s *step) tempDir() string {
	for _, entry := range s.spec.Env {
		if dir, ok := strings.CutPrefix(entry, "TMPDIR="); ok {
			return dir
		}
	}
	return os.TempDir()
}

// unlessDumping leaves out what the runtime writes on standard error when the
// supervisor asks for a dump: the dump itself comes on the crash line.
func (s *step) unlessDumping(w io.Writer) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		if s.dumping.Load() {
			return len(p), nil
		}
		return w.Write(p)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// copy returns the end of a pipe for the step to write into. What comes out of
// it goes to w. The copying ends when the last process that has it is gone.
func (s *step) copy(w io.Writer) (*os.File, error) {
	r, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		_, err := io.Copy(w, r)
		r.Close()
		s.outputs <- err
	}()
	return end, nil
}

// NoInput is a standard input that is at its end. It is a file of its own in memory, and
// not /dev/null: that is everybody's, and code which treats descriptor 0 as its own may
// change its mode for the whole machine.
func NoInput() (*os.File, error) {
	fd, err := unix.MemfdCreate("no input", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl F_ADD_SEALS", err)
	}
	return os.NewFile(uintptr(fd), "no input"), nil
}

// socketpair returns two connected ends, both close-on-exec. The first one is
// ours and non-blocking; the second goes to the step and blocks.
func socketpair(kind int) ([2]*os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return [2]*os.File{}, os.NewSyscallError("socketpair", err)
	}
	err = unix.SetNonblock(fds[0], true)
	if err == nil && kind == unix.SOCK_SEQPACKET {
		// Every packet then names the process that sent it.
		err = unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}
	if err != nil {
		return [2]*os.File{}, err
	}
	return [2]*os.File{os.NewFile(uintptr(fds[0]), "line"), os.NewFile(uintptr(fds[1]), "line")}, nil
}

// parentGone returns a channel that is closed when whoever started this process
// is gone. From within a PID namespace its pid cannot be known; its pidfd works.
func parentGone() (<-chan struct{}, error) {
	if _, err := unix.FcntlInt(parentFD, unix.F_GETFD, 0); err != nil {
		return nil, fmt.Errorf("a supervisor needs a pidfd of its starter: %w", err)
	}
	return gone(parentFD), nil
}

// gone returns a channel that is closed when the process of a pidfd has ended.
func gone(pidfd int) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		waitFor(pidfd)
		close(ended)
	}()
	return ended
}

// waitFor returns when the process of a pidfd has ended.
func waitFor(pidfd int) {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return
		}
	}
}

// listen reads the lab's events until its line is closed.
func (s *step) listen() {
	defer close(s.events)
	dec := json.NewDecoder(s.control)
	for {
		var e verdict.Event
		if dec.Decode(&e) != nil {
			return
		}
		s.events <- e
	}
}

func (s *step) answer(a verdict.Settled) {
	// The step may be gone already; then nobody waits for the answer.
	line, err := json.Marshal(a)
	if err == nil {
		s.control.Write(append(line, '\n'))
	}
}
