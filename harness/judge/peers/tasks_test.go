package peers_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/peers"
)

// pools are the peers of the process pool.
var pools = []kind{{"pool", peers.C}, {"pool", peers.Python}, {"pool-multi", peers.Python}}

func TestAPoolRunsEveryTask(t *testing.T) {
	for _, k := range pools {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, k)
			for _, of := range []struct {
				benchmark   string
				size, count int
			}{
				{"tasks", 1, 1}, {"tasks", 1, 1000}, {"tasks", 7, 300}, {"tasks", 64, 1000}, {"tasks", 65519, 30},
				{"tasks", 65536, 100}, {"tasks", 1000000, 5}, {"work", 1, 3}, {"work", 2, 5}, {"work", 5, 5},
			} {
				l := runPeer(t, p.Argv, of.benchmark, of.size, of.count).measured(t)
				assert.Equal(t, of.count, l.Messages, "%v", of)
				assert.Positive(t, l.Seconds, "%v", of)
				assert.Greater(t, l.Whole, l.Seconds, "%v", of)
			}
			for _, words := range [][]any{
				{}, {"tasks"}, {"tasks", 1}, {"tasks", 0, 1}, {"tasks", 1, 0}, {"tasks", 1, "x"}, {"tasks", 1, 1, 1},
				{"work", 0, 1}, {"work", 65, 1}, {"transfer", 1, 1},
			} {
				o := runPeer(t, p.Argv, words...)
				assert.Equal(t, 2, o.status, "%v", words)
				assert.Contains(t, o.errors, "usage: ")
			}
		})
	}
}

func TestAWrongResultIsTold(t *testing.T) {
	for _, of := range []struct{ file, from, to, benchmark, says string }{
		{"tasks.py", "    peer.set_number(result, number)\n", "    peer.set_number(result, number // 2)\n", "tasks", "message 1: byte 7 is 0 instead of 1"},
		{"tasks.py", "    for _ in range(STEPS):\n        number =", "    for _ in range(STEPS - 1):\n        number =", "work", "task 0 has another result"},
		{"pool.c", "			set_number(message, size, header.number);\n", "			set_number(message, size, header.number / 2);\n", "tasks", "message 1: byte 7 is 0 instead of 1"},
		{"pool.c", "	for (int i = 0; i < STEPS; i++)\n		x =", "	for (int i = 1; i < STEPS; i++)\n		x =", "work", "message 0: byte 0 is"},
	} {
		t.Run(of.file+"/"+of.benchmark, func(t *testing.T) {
			t.Parallel()
			language := peers.Python
			if of.file == "pool.c" {
				language = peers.C
			}
			p := prepare(t, kind{"pool", language})
			dir := edited(t, of.file, of.from, of.to)
			argv := []string{p.Argv[0], "-B", filepath.Join(dir, "pool.py")}
			if language == peers.C {
				argv = []string{filepath.Join(dir, "peer")}
				cc, err := peers.Compiler()
				require.NoError(t, err)
				out, err := exec.CommandContext(t.Context(), cc[0], "-O2", "-o", argv[0], filepath.Join(dir, "pool.c")).CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
			o := runPeer(t, argv, of.benchmark, 2, 3)
			if of.benchmark == "tasks" {
				o = runPeer(t, argv, of.benchmark, 64, 3)
			}
			assert.Equal(t, 1, o.status)
			assert.Empty(t, o.out)
			assert.Contains(t, o.errors, of.says)
		})
	}
}

func TestThePoolsPeerInCHasNoWarnings(t *testing.T) {
	prepare(t, kind{"pool", peers.C})
	cc, err := peers.Compiler()
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), cc[0], "-O2", "-Wall", "-Wextra", "-Werror", "-o", filepath.Join(t.TempDir(), "peer"), "pool.c").CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func TestThePoolsPeersInPythonWorkWithEveryStartMethod(t *testing.T) {
	for _, name := range []string{"pool", "pool-multi"} {
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
				cmd, ended := command(t, p.Argv, "work", 2, 100_000)
				require.NoError(t, cmd.Start())
				worker := second(t, cmd.Process.Pid)
				var gone []func()
				for _, pid := range descendants(cmd.Process.Pid) {
					gone = append(gone, endsSoon(t, pid))
				}
				if who == "a worker is killed" {
					require.NoError(t, syscall.Kill(worker, syscall.SIGKILL))
				} else {
					require.NoError(t, cmd.Process.Kill())
				}
				o := ended(cmd.Wait())
				if who == "a worker is killed" {
					assert.Equal(t, 1, o.status)
					assert.Empty(t, o.out)
					assert.Regexp(t, `worker \d+ has ended|has ended too early|terminated`, o.errors)
				}
				for _, wait := range gone {
					wait()
				}
			})
		}
	}
}
