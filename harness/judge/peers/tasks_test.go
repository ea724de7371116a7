package peers_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/peers"
)

// pools are the peers of the process pool.
var pools = func() (all []kind) {
	for _, name := range []string{"pool", "pool-async", "pool-busy1", "pool-busy2"} {
		all = append(all, kind{name, peers.C}, kind{name, peers.Python})
	}
	return all
}()

func TestAPoolRunsEveryTask(t *testing.T) {
	for _, k := range pools {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, k)
			for _, of := range [][2]int{{1, 1}, {8, 1}, {7, 300}, {64, 300}, {65519, 30}, {65536, 50}, {1000000, 5}} {
				l := runPeer(t, p.Argv, "tasks", of[0], of[1]).measured(t)
				assert.Equal(t, of[1], l.Messages, "%v", of)
				assert.Positive(t, l.Seconds, "%v", of)
				assert.Greater(t, l.Whole, l.Seconds, "%v", of)
			}
			for _, words := range [][]any{{}, {"tasks"}, {"tasks", 1}, {"tasks", 0, 1}, {"tasks", 1, 0}, {"tasks", 1, "x"}, {"tasks", 1, 1, 1}, {"transfer", 1, 1}} {
				o := runPeer(t, p.Argv, words...)
				assert.Equal(t, 2, o.status, "%v", words)
				assert.Contains(t, o.errors, "usage: ")
			}
		})
	}
}

func TestAWrongResultOfATaskIsTold(t *testing.T) {
	for _, of := range []struct{ peer, file, from, to string }{
		{"pool.py", "tasks.py", "    result = new_message(size)\n    peer.set_number(result, number)\n", "    result = new_message(size)\n    peer.set_number(result, number // 2)\n"},
		{"pool.c", "pool.h", "{ set_number(result, size, number); }", "{ set_number(result, size, number / 2); }"},
	} {
		t.Run(of.peer, func(t *testing.T) {
			t.Parallel()
			dir := edited(t, of.file, of.from, of.to)
			var argv []string
			if of.peer == "pool.py" {
				argv = []string{prepare(t, kind{"pool", peers.Python}).Argv[0], "-B", filepath.Join(dir, of.peer)}
			} else {
				prepare(t, kind{"pool", peers.C})
				argv = []string{compiled(t, filepath.Join(dir, of.peer))}
			}
			o := runPeer(t, argv, "tasks", 64, 3)
			assert.Equal(t, 1, o.status)
			assert.Empty(t, o.out)
			assert.Contains(t, o.errors, "message 1: byte 7 is 0 instead of 1")
		})
	}
}

func compiled(t *testing.T, file string, flags ...string) (binary string) {
	t.Helper()
	cc, err := peers.Compiler()
	require.NoError(t, err)
	binary = filepath.Join(t.TempDir(), "peer")
	out, err := exec.CommandContext(t.Context(), cc[0], append(flags, "-O2", "-o", binary, file)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

func TestThePoolsPeersInCHaveNoWarnings(t *testing.T) {
	for _, k := range pools {
		if k.language == peers.C {
			prepare(t, k)
			compiled(t, k.name+".c", "-Wall", "-Wextra", "-Werror")
		}
	}
}

func TestThePoolsPeersInPythonWorkWithEveryStartMethod(t *testing.T) {
	for _, name := range []string{"pool", "pool-async", "pool-busy2"} {
		p := prepare(t, kind{name, peers.Python})
		for _, method := range []string{"fork", "spawn", "forkserver"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				dir := edited(t, name+".py", "    tasks.run(", fmt.Sprintf("    import multiprocessing\n    multiprocessing.set_start_method(%q)\n    tasks.run(", method))
				argv := []string{p.Argv[0], "-B", filepath.Join(dir, name+".py")}
				assert.Equal(t, 100, runPeer(t, argv, "tasks", 1024, 100).measured(t).Messages)
			})
		}
	}
}

func TestWorkersEndWithTheFirstProcessAndItTellsTheirEnd(t *testing.T) {
	for _, k := range pools {
		for _, who := range []string{"the first process is killed", "a worker is killed"} {
			t.Run(k.String()+"/"+who, func(t *testing.T) {
				p := prepare(t, k)
				count := 1_000_000
				if k.language == peers.Python { // who submits has Python's lock until all are submitted
					count = 50_000
				}
				cmd, ended := command(t, p.Argv, "tasks", 64, count)
				require.NoError(t, cmd.Start())
				worker := second(t, cmd.Process.Pid)
				var gone []func()
				for _, pid := range descendants(cmd.Process.Pid) {
					gone = append(gone, endsSoon(t, pid))
				}
				victim := cmd.Process.Pid
				if who == "a worker is killed" {
					victim = worker
				}
				require.NoError(t, syscall.Kill(victim, syscall.SIGKILL))
				late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
				defer late.Stop()
				o := ended(cmd.Wait())
				if who == "a worker is killed" {
					assert.Equal(t, 1, o.status)
					assert.Empty(t, o.out)
					assert.NotEmpty(t, o.errors)
					assert.NotContains(t, o.errors, "Traceback")
				}
				for _, wait := range gone {
					wait()
				}
			})
		}
	}
}
