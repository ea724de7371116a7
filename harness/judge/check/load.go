package check

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Load keeps cores busy until the returned function is called: verdicts must not
// depend on how fast the machine is.
func Load(cores int) (stop func(), err error) {
	var busy []*exec.Cmd
	ending := make(chan struct{})
	stop = func() {
		close(ending)
		for _, cmd := range busy {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	started := make(chan error)
	go func() {
		// The parent-death signal is bound to the thread that starts them.
		runtime.LockOSThread()
		for range cores {
			cmd := exec.Command("sh", "-c", "while :; do :; done")
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := cmd.Start(); err != nil {
				started <- err
				return
			}
			busy = append(busy, cmd)
		}
		started <- nil
		<-ending
	}()
	if err := <-started; err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}
