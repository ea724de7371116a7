package peers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/judge/peers"
)

// second waits until a process that pid started, or one of its children did, has
// used the processor a little: then the messages are on their way. Where Python
// forks from a server, there are others too, but they have little to do. Its tracker of
// shared memory needs a while to start, and is none of the two.
func second(t *testing.T, pid int) int {
	t.Helper()
	busiest := 0
	require.Eventually(t, func() bool {
		busiest = 0 // before its exec the tracker looks like the others
		for _, child := range descendants(pid) {
			if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child)); strings.Contains(string(line), "resource_tracker") {
				continue
			}
			if busiest == 0 || ticks(child) > ticks(busiest) {
				busiest = child
			}
		}
		return busiest != 0 && ticks(busiest) >= 6
	}, patience, 5*time.Millisecond, "the second process should be busy")
	return busiest
}

func descendants(pid int) (all []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(append(all, child), descendants(child)...)
			}
		}
	}
	return all
}

// ticks is how long a process was on a processor, in 1/100 s.
func ticks(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return user + system
}

// endsSoon takes hold of a process. The function that it returns waits for its end.
// A pidfd cannot be taken in by another process with the same number.
func endsSoon(t *testing.T, pid int) func() {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err, "pidfd_open")
	t.Cleanup(func() { unix.Close(fd) })
	return func() {
		t.Helper()
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for limit := time.Now().Add(5 * time.Second); time.Now().Before(limit); {
			if n, _ := unix.Poll(fds, 100); n == 1 {
				return
			}
		}
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		t.Error("the second process lives on after the end of the first one")
	}
}

func TestTheSecondProcessEndsWithTheFirst(t *testing.T) {
	for _, k := range kinds {
		for _, benchmark := range benchmarks {
			t.Run(k.String()+"/"+benchmark, func(t *testing.T) {
				p := prepare(t, k)
				needsTwoCores(t, k, benchmark)
				cmd, _ := command(t, p.Argv, benchmark, 64, 1_000_000_000)
				require.NoError(t, cmd.Start())

				second(t, cmd.Process.Pid)
				var gone []func()
				for _, pid := range descendants(cmd.Process.Pid) {
					gone = append(gone, endsSoon(t, pid))
				}
				require.NotEmpty(t, gone)
				require.NoError(t, cmd.Process.Kill())
				cmd.Wait()
				removeSystemV(t, k, cmd.Process.Pid)
				for _, wait := range gone {
					wait()
				}
			})
		}
	}
}

// removeSystemV removes the System V queues or semaphores of a peer that was killed: see doc.go.
func removeSystemV(t *testing.T, k kind, pid int) {
	t.Helper()
	for end := range 2 {
		key := uintptr(0x40000000 | pid<<1 | end)
		var id uintptr
		var errno syscall.Errno
		switch k.name {
		case "sysv-queue":
			id, _, errno = unix.Syscall(unix.SYS_MSGGET, key, 0, 0)
		case "sysv-buffer":
			id, _, errno = unix.Syscall(unix.SYS_SEMGET, key, 0, 0)
		default:
			return
		}
		if errno == unix.ENOENT {
			continue
		}
		require.Zero(t, errno, "msgget or semget")
		if k.name == "sysv-queue" {
			_, _, errno = unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0)
		} else {
			_, _, errno = unix.Syscall6(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID, 0, 0, 0)
		}
		require.Zero(t, errno, "msgctl or semctl")
	}
}

func TestTheFirstProcessTellsThatTheSecondWasKilled(t *testing.T) {
	for _, k := range kinds {
		if k.name == "article" {
			continue // it would look at the file for ever: that is a part of what it shows
		}
		for _, benchmark := range benchmarks {
			t.Run(k.String()+"/"+benchmark, func(t *testing.T) {
				p := prepare(t, k)
				needsTwoCores(t, k, benchmark)
				cmd, ended := command(t, p.Argv, benchmark, 64, 1_000_000_000)
				require.NoError(t, cmd.Start())
				late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
				defer late.Stop()

				require.NoError(t, unix.Kill(second(t, cmd.Process.Pid), unix.SIGKILL))
				o := ended(cmd.Wait())
				assert.Equal(t, 1, o.status, "the exit status")
				assert.Empty(t, o.out, "standard output")
				assert.NotEmpty(t, o.errors, "standard error")
				assert.NotContains(t, o.errors, "Traceback")
			})
		}
	}
}

func needsTwoCores(t *testing.T, k kind, benchmark string) {
	t.Helper()
	if k.language == peers.Limit && benchmark == "pingpong" && runtime.NumCPU() == 1 {
		t.Skip("there is only one core")
	}
}

func TestTheLimitOnOneCore(t *testing.T) {
	p := prepare(t, kind{"limit", peers.Limit})
	// What this thread starts inherits its core. The thread ends with the test.
	runtime.LockOSThread()
	var may, one unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &may))
	for cpu := 0; one.Count() == 0; cpu++ {
		if may.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	require.NoError(t, unix.SchedSetaffinity(0, &one))

	o := runPeer(t, p.Argv, "pingpong", 64, 10)
	assert.Equal(t, 3, o.status, "the exit status of pingpong")
	assert.Empty(t, o.out)
	assert.Contains(t, o.errors, "cannot be measured here: ")

	runPeer(t, p.Argv, "transfer", 64, 10).measured(t)
	runPeer(t, p.Argv, "memcpy", 64, 10).measured(t)
}
