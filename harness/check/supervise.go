package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"ipcworkbook/harness/verdict"
)

// supervise runs one step below a supervisor, which is this same program with
// another task: see package supervisor.
func supervise(ctx context.Context, spec verdict.Spec) (verdict.Report, error) {
	cmd, err := supervisor(ctx, spec)
	if err != nil {
		return verdict.Report{}, err
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return verdict.Report{}, ctx.Err()
		}
		return verdict.Report{Finding: verdict.Finding{Verdict: verdict.Fault,
			Message: fmt.Sprintf("The step's supervisor ended: %v\n%s", err, &errs)}}, nil
	}
	var report verdict.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return verdict.Report{}, fmt.Errorf("reading the supervisor's report: %w", err)
	}
	return report, nil
}

func supervisor(ctx context.Context, spec verdict.Spec) (*exec.Cmd, error) {
	if os.Getenv(verdict.EnvSupervise) != "" {
		// Without this a program that forgot supervisor.Enter would start
		// itself for ever.
		return nil, errors.New("this program was started as a supervisor and does not call supervisor.Enter")
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{"workbook supervisor"} // what ps shows
	cmd.Env = append(append(cmd.Environ(), spec.Env...), verdict.EnvSupervise+"=1")
	cmd.Stdin = bytes.NewReader(text)
	// A session of its own: Ctrl-C reaches the workbook, which tells the
	// supervisors to clean up, and is not gone before they are.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd, nil
}

// TempDir makes a folder that is gone when the returned function was called, or
// when this process has ended, even by SIGKILL: a helper process sees to it.
func TempDir() (string, func(), error) {
	// The helper comes first, so that there is no moment in which the folder is
	// there and nobody would remove it.
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("workbook-%d-%x", os.Getpid(), rand.Uint32()))
	janitor, err := supervisor(context.Background(), verdict.Spec{Env: []string{verdict.EnvTidy + "=" + dir}})
	if err == nil {
		err = janitor.Start()
	}
	if err != nil {
		return "", nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		janitor.Process.Kill()
		janitor.Wait()
		return "", nil, err
	}
	return dir, func() {
		os.RemoveAll(dir)
		janitor.Process.Kill()
		janitor.Wait()
	}, nil
}
