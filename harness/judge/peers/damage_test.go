package peers_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/peers"
)

// A peer that does not notice damage may be fast because it does nothing. So the
// second process is given a fault here, by an edit of the peer's source, and the
// first one must tell it.
type fault struct {
	name      string
	benchmark string
	file      string
	from, to  string
	says      string
}

const (
	sendC  = "m->send(message, b->size);"
	sendPy = "outgoing.send_bytes(message)\n\n\ndef send_back"
	backC  = "m->send(message, (size_t)n);"
	backPy = "outgoing.send_bytes(message)\n\n\ndef second_process"
	nextPy = "\n\n\ndef send_back"
	restPy = "\n\n\ndef second_process"
)

var faultsOfC = []fault{
	{"loses one", "transfer", "peer.h", sendC, "if (i != 5) " + sendC,
		"message 5: byte 7 is 6 instead of 5"},
	{"sends one twice", "transfer", "peer.h", sendC, "if (i == 5) " + sendC + sendC,
		"message 6: byte 7 is 5 instead of 6"},
	{"changes the order", "transfer", "peer.h", sendC, "if (i == 5 || i == 6) set_number(message, b->size, 11 - i);" + sendC,
		"message 5: byte 7 is 6 instead of 5"},
	{"damages the last byte", "transfer", "peer.h", sendC, "message[b->size - 1] ^= (i == 5);" + sendC,
		"message 5: byte 63 is 62 instead of 63"},
	{"sends a short one", "transfer", "peer.h", sendC, "m->send(message, b->size - (i == 5));",
		"message 5: received 63 bytes instead of 64"},
	{"sends a long one", "transfer", "peer.h", sendC, "unsigned char x[100] = { 0 }; m->send(i == 5 ? x : message, b->size + (i == 5));",
		"a header claims 65 bytes, the limit is 64"},
	{"sends an empty one", "transfer", "peer.h", sendC, "m->send(message, i == 5 ? 0 : b->size);",
		"message 5: received 0 bytes instead of 64"},
	{"ends too early", "transfer", "peer.h", sendC, "if (i == 5) { m->finish(); exit(0); } " + sendC,
		"message 5: end of file instead"},
	{"sends one too many", "transfer", "peer.h", "m->finish();\n}\n\n/* The first process. */",
		"if (!b->pingpong) m->send(new_message(b->size), b->size); m->finish();\n}\n\n/* The first process. */",
		"received 64 bytes more after the last message"},
	{"ends in a message", "transfer", "stream.h", "write_all(small, HEADER_SIZE + size);",
		"static int i; if (i++ == 5) { write_all(small, HEADER_SIZE + 1); exit(0); } write_all(small, HEADER_SIZE + size);",
		"end of file in the middle of a message"},
	{"ends in a header", "transfer", "stream.h", "write_all(small, HEADER_SIZE + size);",
		"static int i; if (i++ == 5) { write_all(small, 1); exit(0); } write_all(small, HEADER_SIZE + size);",
		"end of file in the middle of a header"},
	{"ends with an error", "transfer", "peer.h", "\t\texit(0);", "\t\texit(4);",
		"the second process ended with status 4"},
	{"is killed at the end", "transfer", "peer.h", "\t\texit(0);", "\t\traise(SIGKILL);",
		"signal 9 ended the second process"},
	{"is killed before it is ready", "transfer", "peer.h", "say(control); /* ready */", "raise(SIGKILL);",
		`the other process ended before it said "ready"`},

	{"damages the first byte", "pingpong", "peer.h", backC, "{ message[0] ^= (message[7] == 5);" + backC + " }",
		"message 5: byte 0 is 1 instead of 0"},
	{"sends one back twice", "pingpong", "peer.h", backC, "{ if (message[7] == 5) " + backC + backC + " }",
		"message 6: byte 7 is 5 instead of 6"},
	{"sends a short one back", "pingpong", "peer.h", backC, "{ n -= (message[7] == 5);" + backC + " }",
		"message 5: received 63 bytes instead of 64"},
	{"ends too early", "pingpong", "peer.h", backC, "{ if (message[7] == 5) break; " + backC + " }",
		"message 5: end of file instead"},
	{"sends one too many", "pingpong", "peer.h", "m->finish();\n}\n\n/* The first process. */",
		"if (b->pingpong) produce(m, b); m->finish();\n}\n\n/* The first process. */",
		"received 64 bytes more after the last message"},
}

var faultsOfPython = []fault{
	{"loses one", "transfer", "peer.py", sendPy, "i != 5 and " + sendPy,
		"message 5: byte 7 is 6 instead of 5"},
	{"sends one twice", "transfer", "peer.py", sendPy, "i == 5 and outgoing.send_bytes(message)\n        " + sendPy,
		"message 6: byte 7 is 5 instead of 6"},
	{"changes the order", "transfer", "peer.py", sendPy, "i in (5, 6) and set_number(message, 11 - i)\n        " + sendPy,
		"message 5: byte 7 is 6 instead of 5"},
	{"damages the last byte", "transfer", "peer.py", sendPy, "message[-1] ^= i == 5\n        " + sendPy,
		"message 5: byte 63 is 62 instead of 63"},
	{"sends a short one", "transfer", "peer.py", sendPy, "outgoing.send_bytes(message[i == 5:])" + nextPy,
		"message 5: received 63 bytes instead of 64"},
	{"sends a long one", "transfer", "peer.py", sendPy, "outgoing.send_bytes(message + b'x' * (i == 5))" + nextPy,
		"message 5: received 65 bytes instead of 64"},
	{"ends too early", "transfer", "peer.py", sendPy, "if i == 5: outgoing.close(); os._exit(0)\n        " + sendPy,
		"message 5: end of file instead"},
	{"sends one too many", "transfer", "peer.py", "        else:\n            control.recv()",
		"            outgoing.send_bytes(new_message(size))\n        else:\n            control.recv()",
		"received 64 bytes more after the last message"},
	{"ends in a message", "transfer", "peer.py", sendPy, "if i == 5: os.write(outgoing.fileno(), b'\\0\\0\\0\\x40x'); os._exit(0)\n        " + sendPy,
		"got end of file during message"},
	{"ends with an error", "transfer", "peer.py", "        outgoing.close()\n    except", "        outgoing.close()\n        sys.exit(4)\n    except",
		"the second process ended with status 4"},
	{"is killed before it is ready", "transfer", "peer.py", `control.send("ready")`, "os._exit(4)",
		"the other process has ended"},

	{"damages the first byte", "pingpong", "peer.py", backPy, "n = message[7] == 5\n        outgoing.send_bytes(bytes([n]) + message[1:])" + restPy,
		"message 5: byte 0 is 1 instead of 0"},
	{"sends one back twice", "pingpong", "peer.py", backPy, "if message[7] == 5: outgoing.send_bytes(message)\n        " + backPy,
		"message 6: byte 7 is 5 instead of 6"},
	{"ends too early", "pingpong", "peer.py", backPy, "if message[7] == 5: return\n        " + backPy,
		"message 5: end of file instead"},
}

func TestAFaultOfTheSecondProcessIsTold(t *testing.T) {
	for _, k := range kinds {
		switch {
		case k.language == peers.Limit:
			continue // its copies are another test's
		case k.name == "file-close", k.name == "file-each", k.name == "article":
			continue // they receive as file does
		}
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, k)
			for _, f := range faults(k) {
				t.Run(f.benchmark+"/"+f.name, func(t *testing.T) {
					dir := edited(t, f.file, f.from, f.to)
					if k.language == peers.Python {
						f.isTold(t, []string{p.Argv[0], "-B", filepath.Join(dir, k.name+".py")})
						return
					}
					binary := filepath.Join(dir, k.name)
					out, err := exec.CommandContext(t.Context(), "cc", "-o", binary, filepath.Join(dir, k.name+".c")).CombinedOutput()
					require.NoError(t, err, "%s", out)
					f.isTold(t, []string{binary})
				})
			}
		})
	}
}

// faults are what the second process of a peer may do wrong, and what the first one
// says then.
func faults(k kind) (all []fault) {
	own := differs[k]
	for _, f := range map[string][]fault{peers.C: faultsOfC, peers.Python: faultsOfPython}[k.language] {
		says, other := own[f.name]
		if other && says == "" {
			continue
		}
		if other {
			f.says = says
		}
		all = append(all, f)
	}
	return all
}

// differs has what a peer says of a fault where it is not what the others say. It
// is empty where that fault cannot be.
var differs = map[kind]map[string]string{
	// A packet has no header, and one without bytes looks like the end.
	{"seqpacket", peers.C}: {
		"sends a long one":   "a packet has 65 bytes, the limit is 64",
		"sends an empty one": "message 5: end of file instead",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"seqpacket", peers.Python}: {"ends in a message": ""},
	// Neither has one in a queue, and a queue is made for messages of one size.
	{"posix-queue", peers.C}: {
		"sends a long one":   "the second process ended with status 1",
		"sends an empty one": "message 5: end of file instead",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"sysv-queue", peers.C}: {
		"sends a long one":   "the second process ended with status 1",
		"sends an empty one": "message 5: end of file instead",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	// Nor in shared memory, where an empty one stands for the end as well.
	{"ring", peers.C}: {
		"sends a long one":   "a message of 65 bytes",
		"sends an empty one": "message 5: end of file instead",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"buffer", peers.C}: {
		"sends a long one":   "the second process ended with status 1",
		"sends an empty one": "message 5: end of file instead",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"sysv-buffer", peers.C}: {
		"sends a long one":   "the second process ended with status 1",
		"sends an empty one": "message 5: end of file instead",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"semaphore", peers.C}: {
		"sends a long one":   "the second process ended with status 1",
		"sends an empty one": "message 5: end of file instead",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"joinable", peers.C}: {
		"sends a long one":   "the second process ended with status 1",
		"sends an empty one": "message 5: received 0 bytes instead of 64",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"joinable-futex", peers.C}: {
		"sends a long one":   "the second process ended with status 1",
		"sends an empty one": "message 5: received 0 bytes instead of 64",
		"ends in a message":  "",
		"ends in a header":   "",
	},
	{"joinable-futex", peers.Python}: {"ends in a message": ""},
	{"joinable", peers.Python}: {
		"ends in a message": "",
	},
	{"ring", peers.Python}:        {"sends a long one": "a slot has no room for 65 bytes", "ends in a message": ""},
	{"buffer", peers.Python}:      {"sends a long one": "a slot has no room for 65 bytes", "ends in a message": ""},
	{"sysv-buffer", peers.Python}: {"sends a long one": "a slot has no room for 65 bytes", "ends in a message": ""},
	{"semaphore", peers.Python}:   {"sends a long one": "a slot has no room for 65 bytes", "ends in a message": ""},
	{"posix-queue", peers.Python}: {
		"sends a long one":  "mq_send: Message too long",
		"ends in a message": "",
	},
	{"sysv-queue", peers.Python}: {
		"sends a long one":  "Argument list too long",
		"ends in a message": "",
	},
	{"unix", peers.Python}: {"ends in a message": "end of file in the middle of a message"},
	{"tcp", peers.Python}:  {"ends in a message": "end of file in the middle of a message"},
}

// What goes wrong in a crowd, by an edit of the peer's source.
func TestAFaultInACrowdIsTold(t *testing.T) {
	faults := []struct{ name, file, from, to, says string }{
		{"loses one", "crowd.h", "c->put(message, b->size);", "if (i != 5) c->put(message, b->size);", "message 5 was put twice, and was taken 0 times"},
		{"puts one twice", "crowd.h", "c->put(message, b->size);", "c->put(message, b->size); if (i == 5) c->put(message, b->size);", "joinable: message "},
		{"damages one", "crowd.h", "c->put(message, b->size);", "message[63] ^= i == 5; c->put(message, b->size);", "nobody has put"},
		{"is killed with one", "crowd.h", "times[i]++;", "times[i]++; if (i == 5) raise(SIGKILL);", "ended with status or signal 9"},
		{"loses one", "crowd.py", "outgoing.send_bytes(message)", "number != 5 and outgoing.send_bytes(message)", "message 5 was put twice, and was taken 0 times"},
		{"damages one", "crowd.py", "outgoing.send_bytes(message)", "outgoing.send_bytes(message[:-1] + bytes([number == 5]))", "nobody has put"},
		{"is killed with one", "crowd.py", "times[number] += 1", "number == 5 and os.kill(os.getpid(), 9)", "ended too early"},
	}
	for _, f := range faults {
		t.Run(f.file+"/"+f.name, func(t *testing.T) {
			t.Parallel()
			dir := edited(t, f.file, f.from, f.to)
			var argv []string
			if strings.HasSuffix(f.file, ".py") {
				argv = []string{prepare(t, kind{"joinable", peers.Python}).Argv[0], "-B", filepath.Join(dir, "joinable.py")}
			} else {
				prepare(t, kind{"joinable", peers.C})
				argv = []string{filepath.Join(dir, "joinable")}
				out, err := exec.CommandContext(t.Context(), "cc", "-o", argv[0], filepath.Join(dir, "joinable.c")).CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
			o := runPeer(t, argv, "crowd", 64, 10)
			assert.NotZero(t, o.status, "the exit status")
			assert.Empty(t, o.out, "standard output")
			assert.Contains(t, o.errors, f.says)
		})
	}
}

func (f fault) isTold(t *testing.T, argv []string) {
	t.Helper()
	o := runPeer(t, argv, f.benchmark, 64, 10)
	assert.Equal(t, 1, o.status, "the exit status")
	assert.Empty(t, o.out, "standard output")
	assert.Contains(t, o.errors, f.says)
}

// Where SIZE is less than 8, the number is in every byte.
func TestALostSmallMessageIsTold(t *testing.T) {
	prepare(t, kind{"pipe", peers.C})
	dir := edited(t, "peer.h", sendC, "if (i != 5) "+sendC)
	binary := filepath.Join(dir, "pipe")
	out, err := exec.CommandContext(t.Context(), "cc", "-o", binary, filepath.Join(dir, "pipe.c")).CombinedOutput()
	require.NoError(t, err, "%s", out)

	o := runPeer(t, []string{binary}, "transfer", 7, 10)
	assert.Equal(t, 1, o.status, "the exit status")
	assert.Contains(t, o.errors, "message 5: byte 0 is 6 instead of 5")
}

func TestTheLimitChecksItsCopies(t *testing.T) {
	limit := prepare(t, kind{"limit", peers.Limit})
	faults := []struct {
		file, from, to string
		says           map[string]string // of each benchmark that the edit is about
	}{
		{"transfer.go", "for k := range n {\n\t\tcopy(to", "for k := range n - 1 {\n\t\tcopy(to", map[string]string{
			"transfer": "message 9: byte 0 is ",
			"memcpy":   "the copy is wrong: message 9: byte 0 is 1 instead of 0",
		}},
		{"pingpong.go", "back.send(message)", "message[63] ^= message[7] & 4; back.send(message)", map[string]string{
			"pingpong": "message 4: byte 63 is 59 instead of 63",
		}},
	}
	for _, f := range faults {
		t.Run(f.file, func(t *testing.T) {
			t.Parallel()
			// The overlay has the go command read the edited file in its place.
			path, err := filepath.Abs(filepath.Join("limit", f.file))
			require.NoError(t, err)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			dir := t.TempDir()
			wrong := filepath.Join(dir, f.file)
			require.NoError(t, os.WriteFile(wrong, []byte(edit(t, string(text), f.from, f.to)), 0o600))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: wrong}})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
			binary := filepath.Join(dir, "limit")
			out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"),
				"-o", binary, "./limit").CombinedOutput()
			require.NoError(t, err, "%s", out)

			for benchmark, says := range f.says {
				if o := runPeer(t, limit.Argv, benchmark, 64, 10); o.status == 3 {
					continue
				}
				o := runPeer(t, []string{binary}, benchmark, 64, 10)
				assert.Equal(t, 1, o.status, "the exit status of %s", benchmark)
				assert.Empty(t, o.out, "the standard output of %s", benchmark)
				assert.Contains(t, o.errors, says, benchmark)
			}
		})
	}
}
