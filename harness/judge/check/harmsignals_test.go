package check_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/step/seccomp"
	"ipcworkbook/harness/verdict"
)

// A solution that signals what is not its own is rejected, in words that name the call, and
// nothing outside of the step is hit. That holds with namespaces and without, in the test's own
// process and in a role.
func TestASolutionSignalsNobodyElse(t *testing.T) {
	bystander := exec.Command("sleep", "1000")
	bystander.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	require.NoError(t, bystander.Start())
	ended := make(chan error, 1)
	go func() { ended <- bystander.Wait() }()
	defer func() {
		bystander.Process.Kill()
		<-ended
	}()

	const queued = `	info := [32]int32{int32(unix.SIGTERM), 0, -1}
	unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, 1, uintptr(unix.SIGTERM), uintptr(unsafe.Pointer(&info)))
`
	const each = `	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err == nil && pid != os.Getpid() {
			unix.Kill(pid, unix.SIGTERM)
		}
	}
`
	const byPidfd = `	if fd, err := unix.PidfdOpen(%d, 0); err == nil {
		unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
		unix.Close(fd)
	}
`
	const inRole, inTest = `os.Getenv("IPC_ROLE") != ""`, `os.Getenv("IPC_ROLE") == ""`
	cases := []struct {
		where, calls string
		verdict      verdict.Verdict
		says         string
	}{
		{inRole, "	unix.Kill(-1, unix.SIGKILL)\n", verdict.Wrong, "kill(-1, SIGKILL) of producer"},
		{inRole, "	unix.Kill(-unix.Getpgrp(), unix.SIGUSR1)\n", verdict.Wrong, "the whole process group of the test"},
		{inRole, queued, verdict.Wrong, "rt_sigqueueinfo(1, SIGTERM) of producer"},
		{inRole, each, verdict.Wrong, "would have reached"},
		// A signal needs a thread that runs. Meanwhile another one may come to the end of the test: so
		// this one is not given what it waits for.
		{inRole, "	unix.Kill(unix.Getppid(), unix.SIGTERM)\n	select {}\n", verdict.Crashed, "Which process of the step did"},
		{inTest, "	unix.Kill(-1, unix.SIGTERM)\n", verdict.Wrong, "kill(-1, SIGTERM) of the test"},
		{inTest, "	unix.Kill(0, unix.SIGTERM)\n", verdict.Wrong, "kill(0, SIGTERM) of the test"},
		{inTest, "	unix.Kill(unix.Getppid(), unix.SIGTERM)\n", verdict.Wrong, "the supervisor of the step"},
		// What is not there has no number, or is refused without a question.
		{inTest, fmt.Sprintf("	unix.Kill(%d, unix.SIGTERM)\n", bystander.Process.Pid), "", ""},
		{inTest, fmt.Sprintf("	unix.Kill(-%d, unix.SIGTERM)\n", bystander.Process.Pid), "", ""},
		{inTest, fmt.Sprintf(byPidfd, bystander.Process.Pid), "", ""},
	}
	t.Setenv(verdict.EnvTogether, os.Getenv(envTogetherHere))
	var trials []trial
	for _, c := range cases {
		trials = append(trials, trial{reference(t,
			overlay.Edit{File: "pipe.go", Old: "import (\n", New: "import (\n\t\"unsafe\"\n"},
			overlay.Edit{File: "pipe.go", Old: "var ErrTooLarge", New: "var _ unsafe.Pointer\n\nvar ErrTooLarge"},
			overlay.Edit{File: "pipe.go", Old: inSend, New: inSend + "	if " + c.where + " {\n" + c.calls + "}\n"},
		), []int{2}})
	}
	for i, r := range runLike(t, nil, trials...) {
		c, said := cases[i], r.Steps[0]
		require.NotEqual(t, verdict.Fault, said.Verdict, "%s: %s", c.calls, said.Message)
		require.NotEqual(t, verdict.Broken, r.Verdict, r.Message)
		if c.verdict != "" {
			require.Equal(t, c.verdict, said.Verdict, "%s: %s", c.calls, said.Message)
		}
		require.Contains(t, said.Message, c.says, c.calls)
	}
	select {
	case err := <-ended:
		t.Fatalf("a process outside of the step was hit: %v", err)
	default:
	}
}

const (
	envTogetherHere = "HARM_TOGETHER"   // the steps get no namespaces
	envNoLandlock   = "HARM_NOLANDLOCK" // the kernel has no Landlock
	envHarmInit     = "HARM_INIT"       // this process is the first one of a PID namespace
)

// The same without namespaces, and where there is no Landlock either. A mistake here would hit
// everything of this user. So this test is run again in a PID namespace, if it may have one: then
// what is outside of the step is there only for it.
func TestASolutionSignalsNobodyElseWithoutNamespaces(t *testing.T) {
	for name, env := range map[string][]string{"scope": nil, "filter": {envNoLandlock + "=1"}} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestASolutionSignalsNobodyElse$", "-test.v")
			cmd.Env = append(append(os.Environ(), envTogetherHere+"=1"), env...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if launch.Refused() == "" {
				cmd.Env = append(cmd.Env, envHarmInit+"=1")
				launch.OwnInit(cmd.SysProcAttr)
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "--- PASS: TestASolutionSignalsNobodyElse")
		})
	}
}

// harmed prepares this process for the test above.
func harmed() error {
	if os.Getenv(envHarmInit) != "" {
		if err := launch.BecomeInit(); err != nil {
			return err
		}
	}
	if os.Getenv(envNoLandlock) == "" {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := seccomp.NoNewPrivileges(); err != nil {
		return err
	}
	_, err := seccomp.Set([]unix.SockFilter{
		seccomp.Load(0), seccomp.Test(unix.BPF_JEQ, unix.SYS_LANDLOCK_CREATE_RULESET, 0, 1),
		seccomp.Give(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)), seccomp.Give(unix.SECCOMP_RET_ALLOW),
	}, unix.SECCOMP_FILTER_FLAG_TSYNC)
	return err
}
