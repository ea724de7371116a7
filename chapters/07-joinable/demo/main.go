// The program of chapter 7: a restaurant. Cooks put dishes on a counter that has room for five, and
// diners take them. A cook may be killed, and a diner with a dish in its hands; a diner may leave.
// With -stage it is a smaller program that grows in five stages, each with its bug. It uses your
// package, chapters/07-joinable.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"ipcworkbook/harness/todo"
)

const usage = `Usage:
  demo              two cooks, three diners, and room for five dishes
  demo -stage N     a program that grows, at stage 1 to 5: each has its bug

Flags:
  -dishes N         how many dishes each cook has to cook (20)
  -cook DURATION    how long one takes to cook (200ms)
  -eat DURATION     how long one takes to eat (500ms)

Type while it runs, each with Enter:
  cook     a cook is killed
  diner    a diner is killed with a dish in its hands
  leave    a diner leaves
  close    the cooks are sent home, and what is on the counter is still eaten
Ctrl-C ends all of them at once.
`

// order is what the command line asks for.
type order struct {
	stage, dishes, files int
	cook, eat            time.Duration
	words                []string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/07-joinable.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=7` shows the way, step by step.")
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	var o order
	flags.IntVar(&o.stage, "stage", 0, "")
	flags.IntVar(&o.dishes, "dishes", 20, "")
	flags.IntVar(&o.files, "files", 0, "") // for those that the demo starts
	flags.DurationVar(&o.cook, "cook", 200*time.Millisecond, "")
	flags.DurationVar(&o.eat, "eat", 500*time.Millisecond, "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		os.Exit(0)
	} else if err != nil {
		os.Exit(2) // flags has said why, and the usage
	}
	o.words = flags.Args()
	switch {
	case len(o.words) > 0 && o.files > 0:
		return play(o)
	case len(o.words) > 0:
		fmt.Fprintf(os.Stderr, "demo: there is no %q\n%s", strings.Join(o.words, " "), usage)
	case o.stage < 0 || o.stage > len(stages):
		fmt.Fprintf(os.Stderr, "demo: there is no stage %d\n%s", o.stage, usage)
	case o.dishes < 0 || o.cook < 0 || o.eat < 0:
		fmt.Fprintf(os.Stderr, "demo: dishes and durations are not below 0\n%s", usage)
	case o.stage > 0:
		return stages[o.stage-1]()
	default:
		return restaurant(o)
	}
	os.Exit(2)
	return nil
}
