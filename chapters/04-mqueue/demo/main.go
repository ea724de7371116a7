// The program of chapter 4: a queue of jobs, some of them urgent. Producers and workers
// start and end in any order, and the jobs stay. It uses your package,
// chapters/04-mqueue.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/todo"
)

const usage = `Usage:
  demo            what you type becomes jobs, and a second process works on them
  demo send       send jobs; a line that begins with ! is urgent
  demo work       work on jobs, as they come
  demo show       show how many jobs wait
  demo remove     remove the queue, with all jobs in it

Flags, before these words:
  -queue NAME     the POSIX queue (/demo-jobs)
  -key NUMBER     a System V queue with this key, in its place
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/04-mqueue.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=4` shows the way, step by step.")
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	name := flags.String("queue", "/demo-jobs", "")
	key := flags.Int("key", 0, "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		os.Exit(0)
	} else if err != nil {
		os.Exit(2) // flags has said why, and the usage
	}
	scene, ok := map[string]func(jobs) error{
		"": both, "send": produce, "work": work, "show": show, "remove": remove,
	}[strings.Join(flags.Args(), " ")]
	if !ok {
		fmt.Fprintf(os.Stderr, "demo: there is no %q\n%s", strings.Join(flags.Args(), " "), usage)
		os.Exit(2)
	}
	if *key != 0 {
		return scene(&systemV{key: *key})
	}
	return scene(&posix{name: *name})
}
