package procfs_test

import (
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/internal/hangtest"
)

func TestMain(m *testing.M) { hangtest.Main(m) }

// The words of hangtest that the tests here are full of.
var (
	helper     = hangtest.Helper
	start      = hangtest.Start
	pipe       = hangtest.Pipe
	eventually = hangtest.Eventually
	hang       = hangtest.Hang
)

var (
	readForEver = helper("read for ever", func() {
		for b := make([]byte, 1); ; {
			unix.Read(3, b)
		}
	})
	spin = helper("spin", func() {
		for n := 0; ; n++ {
		}
	})
	waitForChild = helper("wait for child", func() {
		cmd := exec.Command("sleep", "3600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		cmd.Run()
	})
)
