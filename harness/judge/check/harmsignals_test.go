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

	queued := `	info := [32]int32{int32(unix.SIGTERM), 0, -1}
	unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, %s, uintptr(unix.SIGTERM), uintptr(unsafe.Pointer(&info)))
`
	wrong := []struct{ name, calls, says string }{
		{"everybody", "	unix.Kill(-1, unix.SIGTERM)\n", `kill(-1, SIGTERM)`},
		{"its group", "	unix.Kill(0, unix.SIGTERM)\n", `kill(0, SIGTERM)`},
		{"init", "	unix.Kill(1, unix.SIGTERM)\n", `kill(1, SIGTERM)`},
		{"its group by number", "	unix.Kill(-unix.Getpgrp(), unix.SIGUSR1)\n", `the whole process group of the test`},
		{"everybody, killed", "	unix.Kill(-1, unix.SIGKILL)\n", `every process of the user`},
		{"queued", fmt.Sprintf(queued, "1"), `rt_sigqueueinfo(1, SIGTERM)`},
		{"each", `	for _, p := range []string{"/proc"} {
		entries, _ := os.ReadDir(p)
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
				unix.Kill(pid, unix.SIGTERM)
			}
		}
	}
`, `would have reached`},
		{"the bystander", fmt.Sprintf("	unix.Kill(%d, unix.SIGTERM)\n", bystander.Process.Pid), ""},
		{"the bystander's group", fmt.Sprintf("	unix.Kill(-%d, unix.SIGTERM)\n", bystander.Process.Pid), ""},
		{"the bystander by a pidfd", fmt.Sprintf(`	if fd, err := unix.PidfdOpen(%d, 0); err == nil {
		unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
		unix.Close(fd)
	}
`, bystander.Process.Pid), ""},
	}
	t.Setenv(verdict.EnvTogether, os.Getenv(envTogetherHere))
	// Where Send is called by a role, and where New is called by the test itself.
	for place, edits := range map[string]func(string) []overlay.Edit{"role": atSend, "test": atNew} {
		t.Run(place, func(t *testing.T) {
			var trials []trial
			for _, w := range wrong {
				trials = append(trials, trial{reference(t, edits(w.calls)...), []int{2}})
			}
			for i, r := range runLike(t, nil, trials...) {
				said := r.Steps[0]
				require.NotEqual(t, verdict.Fault, said.Verdict, "%s: %s", wrong[i].name, said.Message)
				require.NotEqual(t, verdict.Broken, r.Verdict, r.Message)
				if wrong[i].says == "" {
					continue // what is not there has no number, or is refused without a question
				}
				require.Equal(t, verdict.Wrong, said.Verdict, "%s: %s", wrong[i].name, said.Message)
				require.Contains(t, said.Message, wrong[i].says, wrong[i].name)
			}
			select {
			case err := <-ended:
				t.Fatalf("a process outside of the step was hit: %v", err)
			default:
			}
		})
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
			require.Contains(t, string(out), "--- PASS: TestASolutionSignalsNobodyElse/role")
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

// atSend and atNew are the edits that put calls there.
func atSend(calls string) []overlay.Edit {
	return append(packages(), overlay.Edit{File: "pipe.go", Old: inSend, New: inSend + calls})
}

func atNew(calls string) []overlay.Edit {
	return append(packages(), overlay.Edit{File: "pipe.go", Old: inNew, New: inNew + calls})
}

func packages() []overlay.Edit {
	return []overlay.Edit{
		{File: "pipe.go", Old: "import (\n", New: "import (\n\t\"strconv\"\n\t\"unsafe\"\n"},
		{File: "pipe.go", Old: "var ErrTooLarge", New: "var _, _ = strconv.Atoi, unsafe.Pointer(nil)\n\nvar ErrTooLarge"},
	}
}
