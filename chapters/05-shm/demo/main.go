// The program of chapter 5: several processes change one table in shared memory. Without the
// lock changes are lost, with it none is, and one that is killed inside leaves something half
// done. It uses your package, chapters/05-shm.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/todo"
)

const usage = `Usage:
  demo            all of it, one after the other
  demo without    four processes count in one number, without a lock
  demo with       the same with the lock
  demo killed     a process is killed while it holds the lock
  demo show       show what is in the table
  demo remove     remove the table

Flag, before these words:
  -name NAME      the name of the region (/demo-table)
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/05-shm.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=5` shows the way, step by step.")
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	name := flags.String("name", "/demo-table", "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		os.Exit(0)
	} else if err != nil {
		os.Exit(2) // flags has said why, and the usage
	}
	scene, ok := map[string]func(name string) error{
		"": all, "without": without, "with": with, "killed": killed, "show": show, "remove": remove,
		// What the other processes of these scenes do.
		"count": count, "count under the lock": countUnderTheLock, "move": move, "repair": repair,
	}[strings.Join(flags.Args(), " ")]
	if !ok {
		fmt.Fprintf(os.Stderr, "demo: there is no %q\n%s", strings.Join(flags.Args(), " "), usage)
		os.Exit(2)
	}
	return scene(*name)
}
