// The program of chapter 6: a small supervisor. It starts two workers, starts one again that is
// killed, reads its settings again at SIGHUP, shows its state at SIGUSR1, and ends in order at
// Ctrl-C and SIGTERM. It uses your package, chapters/06-signals.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"ipcworkbook/harness/todo"
)

const usage = `Usage:
  demo            a supervisor with two workers, a and b

Flag:
  -job DURATION   how long each piece of work takes (100ms)

Signal it from another terminal:
  kill -9 WORKER           the worker is started again, after a pause that grows
  kill -HUP SUPERVISOR     the workers read their settings again
  kill -USR1 SUPERVISOR    it shows its state
  kill SUPERVISOR          it ends when its workers have finished what they do; so does Ctrl-C
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/06-signals.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=6` shows the way, step by step.")
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	job := flags.Duration("job", 100*time.Millisecond, "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		os.Exit(0)
	} else if err != nil {
		os.Exit(2) // flags has said why, and the usage
	}
	switch {
	case flags.NArg() == 0:
		return supervise(*job)
	case flags.NArg() == 2 && flags.Arg(0) == "work":
		return work(flags.Arg(1), *job)
	}
	fmt.Fprintf(os.Stderr, "demo: there is no %q\n%s", flags.Arg(0), usage)
	os.Exit(2)
	return nil
}
