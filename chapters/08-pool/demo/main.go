// The program of chapter 8: it fetches the pages of a site, each in a worker. The site is in this
// program as well, on a port of this machine: some of its pages are slow, some are broken, one is
// huge, and one is odd. It uses your package, chapters/08-pool.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"ipcworkbook/harness/todo"

	pool "ipcworkbook/chapters/08-pool"
)

const usage = `Usage:
  demo                  fetches all pages of a small site, in worker processes
  demo -queue N         tells what N tasks need that wait

Flags:
  -workers N            how many workers there are (3)
  -pages N              how many ordinary pages the site has (8)
  -slow DURATION        how long its two slow pages take (2s)
  -patience DURATION    after how long a worker gives up a page (10s)

While it runs:
  Ctrl-C                pages that are under way are finished, the others are not begun
  Ctrl-C once more      it ends at once
  kill and Enter        a worker is killed, and you see what becomes of its pool
`

// order is what the command line asks for.
type order struct {
	workers, pages, queue int
	slow, patience        time.Duration
}

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if _, ok := todo.In(err.Error()); ok {
			fmt.Fprintln(os.Stderr, "This function is yours to write, in chapters/08-pool.")
			fmt.Fprintln(os.Stderr, "`./task test chapter=8` shows the way, step by step.")
		}
	}
	os.Exit(status)
}

func run(args []string) (status int, err error) {
	if len(args) == 1 && args[0] == "work" { // the pool has started this process
		return work()
	}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	var o order
	flags.IntVar(&o.workers, "workers", 3, "")
	flags.IntVar(&o.pages, "pages", 8, "")
	flags.IntVar(&o.queue, "queue", 0, "")
	flags.DurationVar(&o.slow, "slow", 2*time.Second, "")
	flags.DurationVar(&o.patience, "patience", 10*time.Second, "")
	if err := flags.Parse(args); err == flag.ErrHelp {
		return 0, nil
	} else if err != nil {
		return 2, nil // flags has said why, and the usage
	}
	wrong := ""
	switch {
	case flags.NArg() > 0:
		wrong = fmt.Sprintf("there is no %q", strings.Join(flags.Args(), " "))
	case o.workers < 1 || o.workers > pool.MaxWorkers:
		wrong = fmt.Sprintf("-workers is from 1 to %d, and this is %d", pool.MaxWorkers, o.workers)
	case o.pages < 0 || o.pages > mostPages:
		wrong = fmt.Sprintf("-pages is from 0 to %d, and this is %d", mostPages, o.pages)
	case o.queue < 0 || o.queue > mostTasks:
		wrong = fmt.Sprintf("-queue is from 1 to %d, and this is %d", mostTasks, o.queue)
	case o.slow < 0:
		wrong = fmt.Sprintf("-slow is not below 0, and this is %v", o.slow)
	case o.patience <= 0:
		wrong = fmt.Sprintf("-patience is above 0, and this is %v", o.patience)
	}
	if wrong != "" {
		fmt.Fprintf(os.Stderr, "demo: %s\n%s", wrong, usage)
		return 2, nil
	}
	if o.queue > 0 {
		return queue(o.queue)
	}
	return crawl(o)
}
