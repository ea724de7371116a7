// Package supervisor starts one step of a chapter, watches it, looks at it when
// it hangs, and kills and reaps all of it at the end, however the end comes.
//
// A supervisor is a small process that runs no learner code. There are two ways
// to become one:
//
//   - a program that judges (the workbook) starts itself again with
//     [verdict.EnvSupervise] set, a [verdict.Spec] on standard input, and reads
//     a [verdict.Report] from standard output;
//   - a test binary that `go test` runs becomes one by itself, and starts the
//     test binary a second time below it. The package's initialisation does
//     that, before any of the learner's code has run.
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
	"math/rand/v2"
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

	"ipcworkbook/harness/procfs"
	"ipcworkbook/harness/verdict"
)

// Enter turns this process into a supervisor if it was started as one, and does
// not return then. Every program that judges calls it first.
func Enter() {
	if os.Getenv(verdict.EnvSupervise) == "" {
		return
	}
	os.Unsetenv(verdict.EnvSupervise)
	if folder := os.Getenv(verdict.EnvTidy); folder != "" {
		tidy(folder)
	}
	var spec verdict.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: reading the spec:", err)
		os.Exit(4)
	}
	var out, errs Output
	report := Run(spec, &out, &errs)
	report.Stdout, report.Stderr = out.Bytes(), errs.Bytes()
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: writing the report:", err)
		os.Exit(4)
	}
	os.Exit(0)
}

// Run runs one test binary below this process and returns what it saw. The
// test's output goes to out and errs. Run may be called once in a process, and
// changes the process: it becomes a subreaper.
func Run(spec verdict.Spec, out, errs io.Writer) verdict.Report {
	s := &step{
		spec:   spec,
		report: verdict.Report{Ends: map[string]verdict.Finding{}},
		begun:  time.Now(),
	}
	if err := s.start(out, errs); err != nil {
		os.RemoveAll(s.dir)
		s.report.Finding = fault("starting the test binary: %v", err)
		return s.report
	}
	s.watch()
	s.finish()
	s.report.Took = time.Since(s.begun)
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

	events   chan verdict.Event // closed when the lab's line is closed
	parent   <-chan struct{}    // closed when whoever started us is gone
	signals  chan os.Signal
	settling bool
	settled  chan verdict.Settled

	phase    string // the test that runs, or "" between tests
	ready    bool   // TestMain was reached
	phaseEnd time.Time
	cpuAt    time.Duration // CPU time of the step when the phase began
	looked   *procfs.Sight // the first of the two looks
	ended    []procfs.Ended
	cause    verdict.Finding // of a process that ended badly, if one did
}

// start starts the test binary with two descriptors of the supervisor's: the
// control line and the crash line.
func (s *step) start(out, errs io.Writer) error {
	// The parent-death signal below is bound to this thread.
	runtime.LockOSThread()
	// First of all: from here on there is something to clean up.
	s.signals = make(chan os.Signal, 4)
	signal.Notify(s.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	var err error
	// Made by the lab when a test asks for it; removed here.
	s.dir = filepath.Join(s.tempDir(), fmt.Sprintf("ipc-%d-%x", os.Getpid(), rand.Uint32()))
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
		verdict.EnvControl+"=3", verdict.EnvCrash+"=4", verdict.EnvDir+"="+s.dir)
	// A session of its own: no signal of the terminal reaches the step, and
	// nothing that the step sends to its group reaches the terminal.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}

	s.outs, s.errs = &Output{}, &Output{}
	s.outputs = make(chan error, 2)
	stdout, err := s.copy(io.MultiWriter(out, s.outs))
	if err != nil {
		return err
	}
	stderr, err := s.copy(s.unlessDumping(io.MultiWriter(errs, s.errs)))
	if err != nil {
		return err
	}
	s.cmd.Stdout, s.cmd.Stderr = stdout, stderr

	err = s.cmd.Start()
	for _, theirs := range []*os.File{control[1], crash[1], stdout, stderr} {
		theirs.Close()
	}
	if err != nil {
		return err
	}
	s.exited = make(chan error, 1)
	go func() { s.exited <- s.cmd.Wait() }()
	s.events = make(chan verdict.Event)
	go s.listen()
	s.settled = make(chan verdict.Settled)
	s.begin("")
	return nil
}

// tempDir is the folder for temporary files that the step is told of.
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

// parentGone returns a channel that is closed when the parent process is gone.
func parentGone() (<-chan struct{}, error) {
	parent := os.Getppid()
	fd, err := unix.PidfdOpen(parent, 0)
	if err != nil || os.Getppid() != parent {
		return nil, fmt.Errorf("whoever started this supervisor is gone already (pid %d: %v)", parent, err)
	}
	gone := make(chan struct{})
	go func() {
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if err != unix.EINTR {
				close(gone)
				return
			}
		}
	}()
	return gone, nil
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
