package peers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/peers"
)

// built is where the peers are built, once for all tests.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "peers-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// root is the workbook's folder, as seen from this package's tests.
const root = "../../.."

// a kind is one peer.
type kind struct{ name, language string }

func (k kind) String() string { return k.language + "/" + k.name }

// names are those of the mechanisms.
var names = []string{"pipe", "fifo", "file", "file-close", "file-each", "article", "unix", "duplex", "seqpacket", "tcp", "posix-queue", "sysv-queue", "ring", "buffer", "sysv-buffer", "semaphore", "joinable", "joinable-futex"}

var kinds = func() (all []kind) {
	for _, name := range names {
		all = append(all, kind{name, peers.C}, kind{name, peers.Python})
	}
	return append(all, kind{"limit", peers.Limit})
}()

var benchmarks = []string{"transfer", "pingpong"}

// operations are the peers that send nothing.
var operations = []string{"free-lock", "free-semaphore", "sysv-semaphore"}

var (
	prepareMu sync.Mutex
	prepared  = map[kind]peers.Peer{}
)

// prepare skips the test where the peer cannot take part.
func prepare(t *testing.T, k kind) peers.Peer {
	t.Helper()
	prepareMu.Lock()
	defer prepareMu.Unlock()
	p, ok := prepared[k]
	if !ok {
		var err error
		p, err = peers.Prepare(t.Context(), root, k.name, k.language, built)
		require.NoError(t, err, "Prepare(%s)", k)
		prepared[k] = p
	}
	if p.Missing != "" {
		t.Skip(p.Missing)
	}
	return p
}

// outcome is how a peer ended.
type outcome struct {
	status      int
	out, errors string
}

// patience is for a peer that hangs.
const patience = 30 * time.Second

// command is a peer with a temporary folder of its own, in which nothing may be
// left.
func command(t *testing.T, argv []string, args ...any) (cmd *exec.Cmd, ended func(error) outcome) {
	t.Helper()
	// t.TempDir has the test's name in it. Python may put a socket there, and the
	// path of a socket must be short.
	tmp, err := os.MkdirTemp(built, "")
	require.NoError(t, err)
	words := append([]string{}, argv[1:]...)
	for _, a := range args {
		words = append(words, fmt.Sprint(a))
	}
	cmd = exec.CommandContext(t.Context(), argv[0], words...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	// What Python has started may hold the output a little longer than the peer.
	cmd.WaitDelay = patience
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return cmd, func(err error) outcome {
		t.Helper()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(t, err, "running %s", cmd)
		}
		left, err := os.ReadDir(tmp)
		require.NoError(t, err)
		assert.Empty(t, left, "in TMPDIR after %s", cmd)
		return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	}
}

func runPeer(t *testing.T, argv []string, args ...any) outcome {
	t.Helper()
	cmd, ended := command(t, argv, args...)
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	return ended(cmd.Run())
}

// line is what a peer prints.
type line struct {
	Messages int
	Seconds  float64
	Whole    float64
}

func (o outcome) measured(t *testing.T) line {
	t.Helper()
	require.Zero(t, o.status, "the exit status; standard error: %s", o.errors)
	require.Empty(t, o.errors, "standard error")
	require.Regexp(t, `\A\{"messages":\d+,"seconds":\d+\.\d+,"whole":\d+\.\d+\}\n\z`, o.out)
	var l line
	require.NoError(t, json.Unmarshal([]byte(o.out), &l))
	return l
}

func TestEveryPeerDeliversEveryMessage(t *testing.T) {
	sizes := []int{1, 7, 8, 64, 1024, 8192, 65536, 200000}
	const count = 300 // more than a byte's values, for sizes below 8
	for _, k := range kinds {
		for _, benchmark := range benchmarks {
			t.Run(k.String()+"/"+benchmark, func(t *testing.T) {
				t.Parallel()
				p := prepare(t, k)
				for _, size := range sizes {
					if strings.HasSuffix(k.name, "-queue") && size > 8192 {
						continue // the kernel's limit, as it is by default
					}
					l := runPeer(t, p.Argv, benchmark, size, count).measured(t)
					assert.Equal(t, count, l.Messages, "messages of %d bytes", size)
					assert.Positive(t, l.Seconds, "messages of %d bytes", size)
					assert.Greater(t, l.Whole, l.Seconds, "messages of %d bytes", size)
				}
			})
		}
	}
}

func TestOneMessageIsEnough(t *testing.T) {
	for _, k := range kinds {
		for _, benchmark := range benchmarks {
			t.Run(k.String()+"/"+benchmark, func(t *testing.T) {
				t.Parallel()
				l := runPeer(t, prepare(t, k).Argv, benchmark, 64, 1).measured(t)
				assert.Equal(t, 1, l.Messages)
			})
		}
	}
}

// signals are the peers that send no more than a byte, and only as a ping-pong.
var signals = []string{"signal-queue", "signal-wait"}

func TestSignalsGoToAndFro(t *testing.T) {
	for _, name := range signals {
		for _, language := range []string{peers.C, peers.Python} {
			t.Run(language+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := prepare(t, kind{name, language})
				for _, count := range []int{1, 1000} {
					l := runPeer(t, p.Argv, "pingpong", 1, count).measured(t)
					assert.Equal(t, count, l.Messages)
					assert.Positive(t, l.Seconds)
				}
				assert.Contains(t, runPeer(t, p.Argv, "transfer", 1, 1).errors, "ping-pong only")
			})
		}
	}
}

func TestOperationsAreDoneByOneProcess(t *testing.T) {
	for _, name := range operations {
		for _, language := range []string{peers.C, peers.Python} {
			t.Run(language+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := prepare(t, kind{name, language})
				for _, count := range []int{1, 1000} {
					l := runPeer(t, p.Argv, "operation", 1, count).measured(t)
					assert.Equal(t, count, l.Messages)
					assert.Positive(t, l.Seconds)
					assert.GreaterOrEqual(t, l.Whole, l.Seconds)
				}
				for _, words := range [][]any{{}, {"transfer", 1, 1}, {"operation", 0, 1}, {"operation", 1, 0}, {"operation", 1, "x"}, {"operation", 1}} {
					o := runPeer(t, p.Argv, words...)
					assert.Equal(t, 2, o.status, "%v", words)
					assert.Contains(t, o.errors, "usage: ")
				}
			})
		}
	}
}

func TestACrowdTakesEveryMessageOnce(t *testing.T) {
	for _, k := range []kind{{"joinable", peers.C}, {"joinable", peers.Python}, {"joinable-futex", peers.C}, {"joinable-futex", peers.Python}} {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, k)
			for _, size := range []int{8, 64, 1024, 65536} {
				for _, count := range []int{1, 2, 5, 1000} {
					l := runPeer(t, p.Argv, "crowd", size, count).measured(t)
					assert.Equal(t, count, l.Messages)
					assert.Positive(t, l.Seconds)
					assert.Greater(t, l.Whole, l.Seconds)
				}
			}
			for _, words := range [][]any{{"crowd"}, {"crowd", 7, 1}, {"crowd", 64, 0}, {"crowd", 64, "x"}, {"crowd", 64, 1, 1}} {
				o := runPeer(t, p.Argv, words...)
				assert.Equal(t, 2, o.status, "%v", words)
				assert.Contains(t, o.errors, "usage: ")
			}
		})
	}
}

func TestMemcpyHasNoSecondProcess(t *testing.T) {
	p := prepare(t, kind{"limit", peers.Limit})
	for _, size := range []int{1, 64, 65536, 200000} {
		l := runPeer(t, p.Argv, "memcpy", size, 1000).measured(t)
		assert.Equal(t, 1000, l.Messages)
		assert.Positive(t, l.Seconds)
		assert.Equal(t, l.Seconds, l.Whole)
	}
}

func TestWrongUsageIsStatus2(t *testing.T) {
	wrong := [][]any{
		{}, {"transfer"}, {"transfer", 64}, {"transfer", 64, 10, 1}, {"walk", 64, 10},
		{"transfer", 0, 10}, {"transfer", 64, 0}, {"transfer", -1, 10}, {"pingpong", "64x", 10},
		{"pingpong", 64, ""}, {"pingpong", 1 << 31, 1},
	}
	for _, k := range kinds {
		if k.name != "pipe" && k.name != "limit" {
			continue // the code is that of the pipe
		}
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, k)
			for _, args := range wrong {
				o := runPeer(t, p.Argv, args...)
				assert.Equal(t, 2, o.status, "%v", args)
				assert.Empty(t, o.out, "%v", args)
				assert.Contains(t, o.errors, "usage: ", "%v", args)
			}
		})
	}
}

// Every compiler that is here, and not the least warning.
func TestTheCPeersCompileWithoutWarnings(t *testing.T) {
	some := false
	for _, cc := range []string{"gcc", "clang"} {
		path, err := exec.LookPath(cc)
		if err != nil {
			continue
		}
		some = true
		for _, name := range names {
			out, err := exec.CommandContext(t.Context(), path, "-O2", "-Wall", "-Wextra", "-Werror",
				"-o", filepath.Join(t.TempDir(), "peer"), name+".c").CombinedOutput()
			assert.NoError(t, err, "%s %s\n%s", cc, name, out)
		}
	}
	if !some {
		t.Skip("neither gcc nor clang is in PATH")
	}
}

// Python 3.14 starts a process in another way than 3.13, and each way passes the
// connections differently.
func TestThePythonPeersWorkWithEveryStartMethod(t *testing.T) {
	for _, name := range names {
		p := prepare(t, kind{name, peers.Python})
		for _, method := range []string{"fork", "spawn", "forkserver"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				dir := edited(t, name+".py", "    peer.run(",
					fmt.Sprintf("    import multiprocessing\n    multiprocessing.set_start_method(%q)\n    peer.run(", method))
				argv := []string{p.Argv[0], "-B", filepath.Join(dir, name+".py")}
				for _, benchmark := range benchmarks {
					l := runPeer(t, argv, benchmark, 1024, 100).measured(t)
					assert.Equal(t, 100, l.Messages)
				}
			})
		}
	}
}

// edited makes a copy of the C and Python peers with one edit.
func edited(t *testing.T, file, from, to string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	all, err := filepath.Glob("*.[chp]*")
	require.NoError(t, err)
	done := false
	for _, name := range all {
		if strings.HasSuffix(name, ".go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		if name == file {
			text, done = []byte(edit(t, string(text), from, to)), true
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	require.True(t, done, "there is no %s", file)
	return dir
}

func edit(t *testing.T, text, from, to string) string {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, from), "%q should be there once:\n%s", from, text)
	return strings.Replace(text, from, to, 1)
}
