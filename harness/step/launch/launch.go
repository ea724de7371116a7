// Package launch starts supervisors: the workbook's for each step, and the one
// of a test binary that `go test` runs.
//
// A supervisor is this same program, started again (package supervisor says what
// it does then). Where the kernel allows it starts in PID, IPC and mount
// namespaces of its own: what the step leaves in the kernel is gone with them,
// and nothing of another program can be taken for the step's. Where the kernel
// refuses there are none, and [Refused] says why.
package launch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// patience is how long a supervisor that was told to stop may take to clean up.
// It is killed then, and with it all that is in its namespaces.
const patience = 5 * time.Second

// Run runs one step below a supervisor and returns the supervisor's report. With
// spec.Show the step's output goes to out and errs. Signals are passed on. The
// end of ctx stops the step; then the error is that of ctx.
func Run(ctx context.Context, spec verdict.Spec, out, errs io.Writer, signals <-chan os.Signal) (verdict.Report, error) {
	if os.Getenv(verdict.EnvSupervise) != "" {
		// Without this a program that forgot supervisor.Enter would start
		// itself for ever.
		return verdict.Report{}, errors.New("this program was started as a supervisor and does not call supervisor.Enter")
	}
	for {
		alone := Refused() == ""
		report, err := run(ctx, spec, out, errs, signals, alone)
		if alone && report.Refused != "" {
			refuse(report.Refused)
			continue
		}
		return report, err
	}
}

func run(ctx context.Context, spec verdict.Spec, out, errs io.Writer, signals <-chan os.Signal, alone bool) (verdict.Report, error) {
	spec.Alone = alone
	text, err := json.Marshal(spec)
	if err != nil {
		return verdict.Report{}, err
	}
	reports, theirs, err := os.Pipe()
	if err != nil {
		return verdict.Report{}, err
	}
	defer reports.Close()
	defer theirs.Close()
	cmd, err := command(verdict.Supervisor, theirs)
	if err != nil {
		return verdict.Report{}, err
	}
	cmd.Env = append(cmd.Env, spec.Env...)
	cmd.Stdin = bytes.NewReader(text)
	var said bytes.Buffer
	cmd.Stderr = &said
	if spec.Show {
		cmd.Stdout, cmd.Stderr = out, errs
	}
	if alone {
		isolate(cmd.SysProcAttr)
	}
	err = start(cmd)
	if err != nil && alone {
		return verdict.Report{Refused: err.Error()}, nil
	}
	if err != nil {
		return verdict.Report{}, fmt.Errorf("starting a supervisor: %w", err)
	}
	ended := make(chan struct{})
	var passing sync.WaitGroup
	passing.Go(func() { passOn(ctx, cmd.Process, signals, ended) })
	var report verdict.Report
	readErr := json.NewDecoder(reports).Decode(&report)
	err = cmd.Wait()
	close(ended)
	passing.Wait()
	switch {
	case ctx.Err() != nil:
		return verdict.Report{}, ctx.Err()
	case err != nil || readErr != nil:
		return verdict.Report{Finding: verdict.Finding{Verdict: verdict.Fault,
			Message: fmt.Sprintf("The step's supervisor ended without a report: %v\n%s", errors.Join(err, readErr), &said)}}, nil
	}
	return report, nil
}

// passOn passes signals on until the supervisor has ended. The word to stop is
// repeated: the first process of a PID namespace gets no signal for which it has
// no handler yet.
func passOn(ctx context.Context, supervisor *os.Process, signals <-chan os.Signal, ended <-chan struct{}) {
	done := ctx.Done()
	var again, late <-chan time.Time
	for {
		select {
		case sig := <-signals:
			_ = supervisor.Signal(sig)
		case <-done:
			done = nil
			_ = supervisor.Signal(syscall.SIGTERM)
			again, late = time.Tick(patience/50), time.After(patience)
		case <-again:
			_ = supervisor.Signal(syscall.SIGTERM)
		case <-late:
			_ = supervisor.Kill()
		case <-ended:
			return
		}
	}
}

// command is this program as a supervisor. Descriptor 3 is a pidfd of this
// process, by which the supervisor notices its end, however that comes; after it
// come the others.
func command(task string, others ...*os.File) (*exec.Cmd, error) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"workbook " + task} // what ps shows
	cmd.Env = append(os.Environ(), verdict.EnvSupervise+"="+task)
	cmd.ExtraFiles = append([]*os.File{os.NewFile(uintptr(fd), "pidfd")}, others...)
	// A session of its own: Ctrl-C reaches this process, which tells the
	// supervisors to clean up, and is not gone before they are.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, nil
}

// start starts it and closes what was handed over.
func start(cmd *exec.Cmd) error {
	defer func() {
		for _, f := range cmd.ExtraFiles {
			f.Close()
		}
	}()
	return WithSlack(ownSlack, cmd.Start)
}
