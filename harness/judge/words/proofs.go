package words

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/judge/verify"
)

// Proofs are the rows of the law for verify: of each file its commands and paths, which
// are looked at every time, and the outputs that it shows. Those depend on the commands
// and what is shown, and on all files of the workbook but the Markdown and the variants
// that no command names.
//
// The runner wants its process for itself, so the outputs of a file are compared in
// another one: separate does that, and hands back what [Outputs] returned there.
func Proofs(o Options, tree *verify.Tree, separate func(ctx context.Context, file string) (verify.Row, error)) ([]verify.Proof, error) {
	p, err := newProver(o)
	if err != nil {
		return nil, err
	}
	var all []verify.Proof
	add := func(proof verify.Proof) {
		proof.Chapter, proof.Law = "words", law
		all = append(all, proof)
	}
	now := func(file string, look func() (saw, problem string)) {
		add(verify.Proof{What: file, Try: func(context.Context, uint64) []verify.Row {
			saw, problem := look()
			return []verify.Row{{Saw: saw, Problem: problem}}
		}})
	}
	for _, file := range p.missing() {
		now(file, func() (string, string) { return "", file + ": there is no such file yet; write it" })
	}
	for _, file := range p.files {
		d, err := read(p.Root, file)
		if err != nil {
			return nil, err
		}
		now(file, func() (string, string) {
			c := p.checker(d)
			c.commands()
			c.paths()
			c.lesson()
			return c.saw(), c.problem()
		})
		if len(d.outputs) == 0 {
			continue
		}
		add(verify.Proof{
			What: file + " shows what its commands print", Alone: true,
			Inputs: tree.Sum(verify.Named(commandsOf(d)), file, shownIn(d)),
			Try: func(ctx context.Context, _ uint64) []verify.Row {
				row, err := separate(ctx, file)
				if err != nil {
					row.Problem = err.Error()
				}
				return []verify.Row{{Saw: row.Saw, Problem: row.Problem}}
			},
		})
	}
	return all, nil
}

// Outputs compares the outputs that one file shows with what their commands print now.
func Outputs(ctx context.Context, o Options, file string) (verify.Row, error) {
	p, err := newProver(o)
	if err != nil {
		return verify.Row{}, err
	}
	d, err := read(p.Root, file)
	if err != nil {
		return verify.Row{}, err
	}
	c := p.checker(d)
	c.outputs(ctx)
	if ctx.Err() != nil {
		return verify.Row{}, ctx.Err()
	}
	c.doc.problems = nil // those are of the other row
	return row(file, c.saw(), c.problem()), nil
}

func commandsOf(d *document) string {
	var all []string
	for _, o := range d.outputs {
		all = append(all, o.command)
	}
	return strings.Join(all, "\n")
}

// shownIn is all that the outputs of a file say, wherever in it they stand. What the
// shell's own environment may change is named too.
func shownIn(d *document) string {
	var all strings.Builder
	for _, o := range d.outputs {
		fmt.Fprintf(&all, "%q %d %q\n", o.command, o.exit, o.fence.body)
	}
	fmt.Fprintf(&all, "%q", os.Getenv("PATH"))
	return all.String()
}
