package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Role is what a child process does. The test binary starts itself again, and
// the new process plays the role instead of running tests.
type Role struct {
	name string
	run  func(*Child) error
}

var roles = map[string]*Role{}

// NewRole registers a role. It is called from a package variable next to the
// test that starts it:
//
//	var producer = lab.NewRole("producer", func(c *lab.Child) error {
//		return pipe.NewWriter(c.File("w")).Send([]byte("hello"))
//	})
//
// The error that it returns is reported to the test.
func NewRole(name string, run func(*Child) error) *Role {
	if roles[name] != nil {
		panic("lab: role " + name + " is registered twice")
	}
	r := &Role{name: name, run: run}
	roles[name] = r
	return r
}

// Child is a role's own side: what it was given, and its line to the test.
type Child struct {
	given given
	line  *line
}

// given is what the test hands to a child process, beside its line.
type given struct {
	Files map[string]int    `json:"files"` // descriptor numbers
	Texts map[string]string `json:"texts"`
	// What the process's random numbers follow from.
	Seed   uint64 `json:"seed"`
	Stream string `json:"stream"`
}

const envGiven = "IPC_GIVEN"

// message goes from a child process up to the test.
type message struct {
	Begun  bool `json:"begun,omitempty"`
	Seeded bool `json:"seeded,omitempty"` // the role uses the seed
	Dies   bool `json:"dies,omitempty"`   // it kills itself now
	// Refused is why the process cannot be started in the way that was asked for.
	Refused string          `json:"refused,omitempty"`
	Report  json.RawMessage `json:"report,omitempty"`
	Done    bool            `json:"done,omitempty"`
	Err     string          `json:"err,omitempty"`
}

// play runs this process's role and returns its exit status.
func play(name string) int {
	c := &Child{line: up}
	role := roles[name]
	if role == nil || up == nil {
		fmt.Fprintf(os.Stderr, "lab: no role %q in this test binary, or no line to the test\n", name)
		return 4
	}
	if err := json.Unmarshal([]byte(os.Getenv(envGiven)), &c.given); err != nil {
		fmt.Fprintln(os.Stderr, "lab: reading what was handed over:", err)
		return 4
	}
	up.send(message{Begun: true})
	m := message{Done: true}
	if err := role.run(c); err != nil {
		m.Err = err.Error()
	}
	up.send(m)
	return 0
}

// File returns the descriptor that the test handed over under this name.
func (c *Child) File(name string) *os.File {
	fd, ok := c.given.Files[name]
	if !ok {
		panic("lab: nothing was handed over under the name " + name)
	}
	return os.NewFile(uintptr(fd), name)
}

// Text returns the text that the test handed over under this name.
func (c *Child) Text(name string) string {
	text, ok := c.given.Texts[name]
	if !ok {
		panic("lab: nothing was handed over under the name " + name)
	}
	return text
}

// Wait waits until the test says Go. When the test is gone, so is this process.
func (c *Child) Wait() {
	var word struct{}
	if err := c.line.receive(&word); err != nil {
		os.Exit(0)
	}
}

// Die ends this process by SIGKILL, as a crash of the machine's would: nothing is
// flushed, and no deferred call runs. For the test it is no failure.
func (c *Child) Die() {
	c.line.send(message{Dies: true})
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// Report hands a value to the test, which takes it with [Process.Report].
func (c *Child) Report(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic("lab: " + err.Error())
	}
	c.line.send(message{Report: text})
}

// CollectGarbage runs the garbage collector and what it triggers. An os.File
// that nobody refers to any more is closed by it: code that kept only the number
// of the descriptor loses it here, each time, and not once in a thousand runs.
func CollectGarbage() {
	// With one processor: else this goroutine turns, a few milliseconds each time, until the
	// runtime's sweeper has been woken on another core. That was half of some steps' cost.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 2 {
		swept := make(chan struct{})
		// A new object, so that its clean-up is queued behind the others.
		runtime.AddCleanup(new(*int), func(int) { close(swept) }, 0)
		for collected := false; !collected; {
			runtime.GC()
			select {
			case <-swept:
				collected = true
			case <-time.After(time.Millisecond):
			}
		}
	}
}
