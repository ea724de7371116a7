package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	joinable "ipcworkbook/chapters/07-joinable"
)

// person is a cook, a diner or somebody else: a process that this one has started.
type person struct {
	name  string
	cmd   *exec.Cmd
	word  io.WriteCloser // a line is for the person to read. The end means that this process is gone
	goes  bool           // it was told to, or killed
	ended chan struct{}
	err   error // how it ended
}

// start starts a person, who gets the queue. What it writes to descriptor 3 + len(q.Files()) goes
// to reports, if there are any.
func start(q *joinable.Queue, reports *os.File, args []string, name string, words ...string) (*person, error) {
	files := q.Files()
	args = append(args, "-files", strconv.Itoa(len(files)), name)
	p := &person{name: name, cmd: exec.Command("/proc/self/exe", append(args, words...)...), ended: make(chan struct{})}
	p.cmd.ExtraFiles = append(append(p.cmd.ExtraFiles, files...), nil)
	p.cmd.ExtraFiles[len(files)] = reports
	p.cmd.Stdout, p.cmd.Stderr = os.Stdout, os.Stderr
	var err error
	if p.word, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *person) pid() int { return p.cmd.Process.Pid }

// tell says something to a person who reads it. Who has ended does not.
func (p *person) tell(word string) { fmt.Fprintln(p.word, word) }

func (p *person) wait() error {
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
	return nil
}

// end kills the person, if it is still there.
func (p *person) end() {
	p.cmd.Process.Kill()
	<-p.ended
}

// attach is what a person does first.
func attach(o order) (*joinable.Queue, error) {
	var files []*os.File
	for i := range o.files {
		files = append(files, os.NewFile(uintptr(3+i), "queue"))
	}
	q, err := joinable.Attach(files, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("attaching to the counter: %w", err)
	}
	return q, nil
}

// reports is where a person reports to, by one byte each.
func reports(o order) *os.File { return os.NewFile(uintptr(3+o.files), "reports") }

// listen hands over each line that this person is told. When the one who has started it is gone,
// this process ends.
func listen(heard func(word string)) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		heard(lines.Text())
	}
	os.Exit(1)
}

// play is what a process does that was started as a person.
func play(o order) error {
	parts := map[string]func(*joinable.Queue, order) error{
		"cook": cook, "diner": diner, // of the restaurant
		"cooks": cooks, "eats": eats, "host": host, // of the stages
	}
	part, ok := parts[o.words[0]]
	if !ok {
		return fmt.Errorf("there is no %q", o.words[0])
	}
	q, err := attach(o)
	if err != nil {
		return err
	}
	return part(q, o)
}
