// These tests sit at the program's terminal. On the stub they fail with the
// words "is not written yet". To run them on the reference:
//
//	./task verify chapter=3
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/lab/console"
)

func TestMain(m *testing.M) { console.Main(m, main) }

// address is a path for a socket, which has to be short: t.TempDir has the test's
// name in it.
func address(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ipc-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	if most := len(unix.RawSockaddrUnix{}.Path) - 1; len(path) > most {
		t.Skipf("TMPDIR is too long for a socket: %s has more than %d bytes", path, most)
	}
	return path
}

// server starts a server and waits until it listens.
func server(t *testing.T, at string) *console.Console {
	t.Helper()
	s := console.Start(t, console.Program("-serve", at))
	s.Expect(`It listens at .*\n`)
	s.Expect(`Ctrl-C ends the server\.\n`)
	return s
}

// client starts a client and waits until it is connected.
func client(t *testing.T, at string) *console.Console {
	t.Helper()
	c := console.Start(t, console.Program("-talk", at))
	c.Expect(`Ctrl-D ends the input\.\n`)
	return c
}

func TestLinesComeBackAndCtrlDEndsTheTalk(t *testing.T) {
	c := console.Start(t, console.Program())
	second := c.Expect(`The server is a second process \(pid (\d+)\)\.\n`)[1]
	c.Expect(`Type a line`)

	c.SendLine("hello")
	c.Expect(`the server answers 5 bytes: HELLO\n`)
	c.SendLine("")
	c.Expect(`the server answers 0 bytes: \n`)

	// The client's direction ends, and the server's is still open.
	c.EndOfFile()
	c.Expect(`the server answers \d+ bytes: goodbye after 2 messages\n`)
	c.Expect(`client \(pid ` + strconv.Itoa(c.Pid()) + `\): the server has ended: exit status 0\n`)
	assert.Equal(t, 0, c.Wait())
	assert.NotEqual(t, strconv.Itoa(c.Pid()), second, "the server is a process of its own")
}

func TestCtrlDAtOnceIsAnEndToo(t *testing.T) {
	c := console.Start(t, console.Program())
	c.EndOfFile()
	c.Expect(`goodbye after 0 messages\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestCtrlCLeavesNoProcess(t *testing.T) {
	c := console.Start(t, console.Program())
	second := console.Watch(t, c.Expect(`The server is a second process \(pid (\d+)\)`)[1])
	c.SendLine("hello")
	c.Expect(`HELLO\n`)

	c.Interrupt()

	second.Ends()
	assert.NotEqual(t, 0, c.Wait())
	assert.NoDirExists(t, fmt.Sprintf("/proc/%d", c.Pid()))
}

func TestAKilledClientLeavesNoServer(t *testing.T) {
	// Here a shell leads the session. If the client did, its death would hang up
	// the terminal, and SIGHUP would end the server before the socket can.
	c := console.Start(t, inShell(`"$0"; test $? = 137 && echo killed && read wait`))
	pids := c.Expect(`This is the client \(pid (\d+)\)\. The server is a second process \(pid (\d+)\)`)
	first, second := console.Watch(t, pids[1]), console.Watch(t, pids[2])
	c.SendLine("hello")
	c.Expect(`HELLO\n`)

	first.Kill()

	c.Expect(`killed\n`)
	second.Ends()
}

func TestAKilledServerEndsTheClient(t *testing.T) {
	c := console.Start(t, console.Program())
	second := console.Watch(t, c.Expect(`The server is a second process \(pid (\d+)\)`)[1])
	c.SendLine("hello")
	c.Expect(`HELLO\n`)

	second.Kill()

	c.Expect(`the server has ended: signal: killed\n`)
	c.Expect(`demo: the server has closed the connection\n`)
	assert.Equal(t, 1, c.Wait())
}

func TestClientsAreServedAtTheSameTime(t *testing.T) {
	at := address(t)
	s := server(t, at)
	stalled := client(t, at)
	s.Expect(`client 1 is there\. The kernel says: pid ` + strconv.Itoa(stalled.Pid()) + `, uid ` + strconv.Itoa(os.Getuid()) + `\.\n`)

	second := client(t, at)
	s.Expect(`client 2 is there\. The kernel says: pid ` + strconv.Itoa(second.Pid()) + `, `)
	second.SendLine("hello")
	second.Expect(`the server answers 5 bytes: HELLO\n`)
	second.EndOfFile()
	second.Expect(`goodbye after 1 message\n`)
	assert.Equal(t, 0, second.Wait())
	s.Expect(`client 2: end of file after 1 message\n`)

	stalled.SendLine("now")
	stalled.Expect(`the server answers 3 bytes: NOW\n`)
}

func TestCtrlCClosesTheServerAndRemovesItsFile(t *testing.T) {
	for _, at := range []string{address(t), "@" + filepath.Base(filepath.Dir(address(t)))} {
		s := server(t, at)
		c := client(t, at)
		s.Expect(`client 1 is there`)

		s.Interrupt()

		s.Expect(`The server has closed\. It had 1 client\.\n`)
		assert.Equal(t, 0, s.Wait())
		c.Expect(`the server has closed the connection`)
		assert.Equal(t, 1, c.Wait())
		assert.NoFileExists(t, at)
	}
}

func TestAClientMayComeFirst(t *testing.T) {
	at := address(t)
	c := console.Start(t, console.Program("-talk", at))
	c.Expect(`It waits for a server at .*\n`)
	server(t, at)
	c.Expect(`The server is there\.\n`)
	c.SendLine("hello")
	c.Expect(`HELLO\n`)
}

func TestTheFileOfAKilledServerIsReplacedAndALiveOneStays(t *testing.T) {
	at := address(t)
	// A shell stays, so that the terminal is not hung up.
	killed := console.Start(t, inShell(`"$0" -serve `+at+`; test $? = 137 && read wait`))
	console.Watch(t, killed.Expect(`This is the server \(pid (\d+)\)`)[1]).Kill()
	require.FileExists(t, at)

	server(t, at)

	third := console.Start(t, console.Program("-serve", at))
	third.Expect(`demo: the server cannot start: .*address already in use\n`)
	assert.Equal(t, 1, third.Wait())
	client(t, at)
}

func TestALentFileIsReadAfterItsNameIsGone(t *testing.T) {
	at := address(t)
	file := filepath.Join(t.TempDir(), "poem")
	require.NoError(t, os.WriteFile(file, []byte("first line\nsecond line\n"), 0o600))
	lender := console.Start(t, console.Program("-lend", file, at))
	lender.Expect(`It waits for a server`)
	require.NoError(t, os.Remove(file))

	server(t, at)

	lender.Expect(`My descriptor \d+ has been sent\.\n`)
	lender.Expect(`the server answers \d+ bytes: my descriptor \d+: 23 bytes, the first line is: first line\n`)
	assert.Equal(t, 0, lender.Wait())
}

func TestTheTransferArrivesWhole(t *testing.T) {
	for _, args := range [][]string{{"-transfer"}, {"-transfer", "tcp"}} {
		c := console.Start(t, console.Program(args...))
		c.Expect(`received 8192 messages, 8388608 bytes\. The checksum is right\.\n`)
		c.Expect(`This one run: \d+ KB/s`)
		assert.Equal(t, 0, c.Wait())
	}
}

// AF_UNIX needs no network interface.
func TestASocketPairNeedsNoLo(t *testing.T) {
	c := console.Start(t, console.Program("-lo"))
	if c.Expect(`(While lo is down:|There is no network namespace here)`)[1] == "While lo is down:" {
		c.Expect(`8 MiB through AF_UNIX: +it arrives\n`)
		c.Expect(`8 MiB through TCP on 127\.0\.0\.1: connect: network is unreachable\n`)
	}
	c.Expect(`While lo is up:\n`)
	c.Expect(`8 MiB through AF_UNIX: +lo carries nothing\n`)
	c.Expect(`8 MiB through TCP on 127\.0\.0\.1: lo carries all of it\n`)
	assert.Equal(t, 0, c.Wait())
}

func TestWrongArgumentsGiveTheUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"nonsense"}, {"-serve"}, {"-talk"}, {"-lend", "/tmp/x"}, {"-serve", "/tmp/x", "-talk"},
		{"-serve", "-talk", "/tmp/x"}, {"-transfer", "udp"}, {"-lo", "up"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			c := console.Start(t, console.Program(args...))
			c.Expect(`Usage:\n  demo  `)
			assert.Equal(t, 2, c.Wait())
		})
	}
}

// inShell runs a script in which "$0" is the program.
func inShell(script string) *exec.Cmd {
	program := console.Program()
	cmd := exec.Command("sh", "-c", script, program.Path)
	cmd.Env = program.Env
	return cmd
}
