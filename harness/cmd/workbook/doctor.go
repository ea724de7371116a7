package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"ipcworkbook/harness/desk/doctor"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

// doctorCmd looks at the machine. Its exit status says whether every step can run.
type doctorCmd struct {
	JSON bool `name:"json" help:"Print one JSON document and nothing else."`
}

func (d doctorCmd) Run(ctx context.Context, p place) error {
	all, err := examine(ctx, p)
	if err != nil {
		return err
	}
	if d.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
			return err
		}
	} else {
		screen.New(os.Stdout, p.task).Doctor(all)
	}
	if doctor.Worst(all) == doctor.Lacking {
		return exitStatus(unsupported)
	}
	return nil
}

func examine(ctx context.Context, p place) ([]doctor.Finding, error) {
	chapters, err := book.Chapters()
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	for _, c := range chapters {
		for _, step := range c.Steps {
			for _, program := range step.Needs {
				needs[program] = append(needs[program], fmt.Sprintf("%d.%d", c.Number, step.Number))
			}
		}
	}
	all := doctor.Here(p.root, os.Stdout, needs).Look(ctx)
	return all, ctx.Err()
}

// lacks follows the result of a run that met a step which cannot run here, and says
// what this machine lacks.
func lacks(ctx context.Context, p place, s screen.Screen, r check.Result) error {
	for _, step := range r.Steps {
		if step.Verdict != verdict.Unsupported {
			continue
		}
		all, err := examine(ctx, p)
		if err != nil {
			return err
		}
		if doctor.Worst(all) != doctor.Good {
			s.Line("\nWhat %s doctor finds:", p.task)
			s.Troubles(all)
		}
		return nil
	}
	return nil
}
