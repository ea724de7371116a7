package verdict

import "time"

// Deadline is how long a step may take before its supervisor looks whether it
// still moves. A step that does may go on, up to ten times that.
const Deadline = 2 * time.Second

// LeastFiles is how many files a process of a step has to be allowed to have open. When
// it was tried, 256 were enough for every chapter and 128 were not.
const LeastFiles = 512

// Spec is what a supervisor is asked to run: one compiled test binary, one step.
// It reaches the supervisor as JSON on its standard input.
type Spec struct {
	Path     string        `json:"path"`
	Args     []string      `json:"args"`
	Dir      string        `json:"dir"` // the chapter's folder
	Env      []string      `json:"env"` // of the supervisor and of all below it, beside what they inherit
	Deadline time.Duration `json:"deadline"`
	// Alone says that the supervisor was started in namespaces of its own.
	Alone bool `json:"alone"`
	// Program says that what runs is no test binary, and has no lab to say how it
	// ended. Its exit status and its output are for whoever started it.
	Program bool `json:"program,omitempty"`
	// Core is where the first process is kept, and those that it starts, counted
	// from 1; 0 leaves that to the scheduler.
	Core int `json:"core,omitempty"`
	// Show lets the test's output go to the supervisor's own, and not into the
	// report.
	Show bool `json:"show"`
}

// Report is what a supervisor saw. It reaches whoever started it as JSON on
// descriptor 4.
type Report struct {
	// Refused says which part of its namespaces the supervisor was refused.
	// Then nothing was run.
	Refused string `json:"refused,omitempty"`
	// Ends are the steps' ends in the lab's own words, by the test's name.
	Ends map[string]Finding `json:"ends"`
	// Finding is the supervisor's: a hang, a crash, something left behind, or
	// a fault. It weighs more than what the lab says. Its zero value says nothing.
	Finding Finding `json:"finding"`
	// Test is the test that was running when the finding was made.
	Test string `json:"test,omitempty"`
	// TestFile and TestLine are where that test waited, if it hung.
	TestFile string `json:"test_file,omitempty"`
	TestLine int    `json:"test_line,omitempty"`
	// Seeded says that the test's course depended on the seed of the run.
	Seeded bool `json:"seeded,omitempty"`
	// Measured is what a benchmark that ended well measured last, by its name.
	Measured map[string]Measured `json:"measured,omitempty"`
	Code     int                 `json:"code"` // exit status of the test binary, 128+n for signal n
	Stdout   []byte              `json:"stdout"`
	Stderr   []byte              `json:"stderr"`
	Took     time.Duration       `json:"took"`
	// Explaining is how long it took to explain a hang, from its deadline on.
	Explaining time.Duration `json:"explaining,omitempty"`
}

// Names of the environment variables that a process of a step is started with.
const (
	EnvSupervise = "IPC_SUPERVISE" // set for a supervisor: Supervisor, or Helper
	EnvTidy      = "IPC_TIDY"      // for the helper: the folder to remove when its starter has ended
	EnvTogether  = "IPC_TOGETHER"  // set by who wants no namespaces, as on a machine that refuses them
	EnvAlone     = "IPC_ALONE"     // all: set where the step has namespaces of its own
	EnvQueues    = "IPC_MQUEUE"    // all: where the file system of the POSIX queues is mounted, if it is
	EnvControl   = "IPC_CONTROL"   // the test: descriptor of its line to the supervisor
	EnvCrash     = "IPC_CRASH"     // all: descriptor that receives the runtime's dump
	EnvRole      = "IPC_ROLE"      // a child process: which role it plays
	EnvDir       = "IPC_DIR"       // the step's own folder, which the supervisor removes
	EnvJudged    = "IPC_JUDGED"    // set where somebody shows the verdicts: the lab prints none
	EnvSeed      = "IPC_SEED"      // the seed of the run
	EnvCore      = "IPC_CORE"      // of a benchmark: the number of the core for its second process
	EnvFiles     = "IPC_FILES"     // of a peer: the folder for its files
)

// ArgProgram is the begin of the first argument of a process that is a test binary, and was
// started by the learner's code as a program of its own. The name follows.
const ArgProgram = "ipc-program="

// What a process that has EnvSupervise is there for.
const (
	Supervisor = "supervisor" // runs one step
	Helper     = "helper"     // waits for the end of the run and cleans up
)

// Event is one line from the lab to the supervisor.
type Event struct {
	Kind    string  `json:"kind"`
	Test    string  `json:"test,omitempty"`
	Finding Finding `json:"finding"`
	// Bench says that what starts is a benchmark.
	Bench bool `json:"bench,omitempty"`
	// Measured is set at the end of a benchmark that measured something.
	Measured *Measured `json:"measured,omitempty"`
	// Child processes of the step, as they end.
	Role string `json:"role,omitempty"`
	PID  int    `json:"pid,omitempty"`
	How  string `json:"how,omitempty"`
	// Held are processes that the test holds at a system call, for Settle.
	Held []int `json:"held,omitempty"`
}

// Measured is one measurement: so many messages took so long.
type Measured struct {
	Messages int     `json:"messages"`
	Seconds  float64 `json:"seconds"` // from the word to go to the last message
	Whole    float64 `json:"whole"`   // from before the second process was started
	Usage    Usage   `json:"usage"`   // of both processes, meanwhile
}

// Usage is what processes used.
type Usage struct {
	Reads  int     `json:"reads"`  // calls of read(2) and its kind
	Writes int     `json:"writes"` // calls of write(2) and its kind
	Waits  int     `json:"waits"`  // how often a thread gave up its core to wait
	CPU    float64 `json:"cpu"`    // seconds of processor time
	Memory int     `json:"memory"` // bytes that were allocated
}

// Plus adds what another process used.
func (u Usage) Plus(v Usage) Usage {
	return Usage{u.Reads + v.Reads, u.Writes + v.Writes, u.Waits + v.Waits, u.CPU + v.CPU, u.Memory + v.Memory}
}

// Minus is what was used since v.
func (u Usage) Minus(v Usage) Usage {
	return Usage{u.Reads - v.Reads, u.Writes - v.Writes, u.Waits - v.Waits, u.CPU - v.CPU, u.Memory - v.Memory}
}

// Half is half of it.
func (u Usage) Half() Usage {
	return Usage{u.Reads / 2, u.Writes / 2, u.Waits / 2, u.CPU / 2, u.Memory / 2}
}

// The kinds of events.
const (
	Ready   = "ready"   // the test binary reached its TestMain
	Start   = "start"   // a test starts; its deadline runs from here
	End     = "end"     // a test ended; Finding says how
	Settle  = "settle"  // asks: does anything in this step still move? Answered by a Settled
	Seeded  = "seeded"  // from here on the test's course depends on the seed of the run
	Child   = "child"   // a child process of the step ended; How says how
	Calls   = "calls"   // the lab needs the filter that asks before calls. Answered by a Settled
	Kill    = "kill"    // asks for a SIGKILL to PID, which the test may not send itself
	LastPID = "lastpid" // the next process is to have PID. Answered by a Settled
)

// Settled is the supervisor's answer to Settle.
type Settled struct {
	Asleep bool `json:"asleep"` // false: it never stopped moving
	// Refused is why something else that was asked for cannot be.
	Refused string `json:"refused,omitempty"`
}
