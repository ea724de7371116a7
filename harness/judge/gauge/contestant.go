package gauge

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// turn is what one process measured: so many messages took so long.
type turn struct{ verdict.Measured }

func (t turn) perMessage() float64 { return t.Seconds / float64(t.Messages) }

// contestant is one that takes its turn. A finding that is not pass says why
// there is nothing to measure.
type contestant interface {
	turn(ctx context.Context, b book.Benchmark, messages int, on cores) (turn, verdict.Finding, error)
}

// code is a chapter's code in Go: the learner's, or the reference.
type code struct{ built *check.Built }

func (c code) turn(ctx context.Context, b book.Benchmark, messages int, on cores) (turn, verdict.Finding, error) {
	m, f, err := c.built.Bench(ctx, b.Name, b.Edit, messages, on.first, on.second)
	return turn{m}, f, err
}

// program is a peer: a program of its own that does the same work.
type program struct {
	argv  []string
	tmp   string
	dir   string // for its files, if not that of its temporary ones
	word  string // what it is asked for, if not the benchmark's kind
	apart bool   // it finds its cores itself
}

// cannotHere is a peer's exit status for "this machine does not allow it".
const cannotHere = 3

func (p program) turn(ctx context.Context, b book.Benchmark, messages int, on cores) (turn, verdict.Finding, error) {
	word := p.word
	if word == "" {
		word = b.Kind
	}
	if p.apart {
		on = cores{-1, -1}
	}
	env := []string{"TMPDIR=" + p.tmp}
	if p.dir != "" {
		env = append(env, verdict.EnvFiles+"="+p.dir)
	}
	if on.second >= 0 {
		env = append(env, fmt.Sprintf("%s=%d", verdict.EnvCore, on.second))
	}
	r, err := launch.Run(ctx, verdict.Spec{
		Path: p.argv[0], Core: on.first + 1,
		Args: append(p.argv[1:len(p.argv):len(p.argv)], word, strconv.Itoa(b.Size), strconv.Itoa(messages)),
		Dir:  p.tmp, Env: env, Deadline: verdict.Deadline, Program: true,
	}, nil, nil, nil)
	if err != nil {
		return turn{}, verdict.Finding{}, err
	}
	t, f := judgePeer(r, messages)
	return t, f, nil
}

// judgePeer takes a peer's line. A peer checks every message itself, and ends with
// a status other than 0 where one was wrong.
func judgePeer(r verdict.Report, messages int) (turn, verdict.Finding) {
	said := strings.TrimSpace(string(r.Stderr))
	finding := func(v verdict.Verdict, message string) (turn, verdict.Finding) {
		return turn{}, verdict.Finding{Verdict: v, Message: message}
	}
	var m verdict.Measured
	switch {
	case r.Finding.Verdict == verdict.Hung:
		return finding(verdict.Hung, r.Finding.Message)
	case r.Code == cannotHere:
		return finding(verdict.Unsupported, said)
	case r.Code != 0:
		return finding(verdict.Crashed, strings.TrimSpace(fmt.Sprintf("exit status %d\n%s", r.Code, verdict.LastLines(said))))
	case r.Finding.Verdict != "":
		return turn{}, r.Finding
	}
	if err := json.Unmarshal(r.Stdout, &m); err != nil || m.Messages != messages || m.Seconds <= 0 {
		return finding(verdict.Wrong, fmt.Sprintf("%d messages were asked for, and it printed %q", messages, r.Stdout))
	}
	return turn{m}, verdict.Finding{Verdict: verdict.Pass}
}
