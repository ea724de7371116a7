package words

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	assignment  = regexp.MustCompile(`^[A-Za-z_]\w*=`)
	placeholder = regexp.MustCompile(`^[A-Z]+$`)
)

// commands checks the sh blocks and the code spans that are commands. Those of
// the outputs are checked when they are run.
func (c *checker) commands() {
	for _, f := range c.doc.fences {
		if f.shown || !slices.Contains([]string{"sh", "bash", "shell"}, f.lang) {
			continue
		}
		c.report(f.line+1, strings.Join(f.body, "\n"))
	}
	for _, t := range c.doc.texts {
		codes, _ := t.inline()
		for _, code := range codes {
			if first, _, more := strings.Cut(code.text, " "); more && slices.Contains([]string{"task", "./task", "workbook"}, first) {
				c.report(code.line, code.text)
			}
		}
	}
}

func (c *checker) report(line int, text string) {
	calls, _ := lex(text, c.functions)
	c.countCommands += len(calls)
	for _, p := range c.shell(text, c.functions) {
		c.wrong(line+p.line, "%s", p.text)
	}
}

// shell checks a shell text; it may call the functions that are known. The lines of the problems count from 0.
func (p *prover) shell(text string, functions map[string]bool) []problem {
	calls, err := lex(text, functions)
	var problems []problem
	if err != nil {
		problems = append(problems, problem{0, fmt.Sprintf("this is no shell command: %v", err)})
	}
	for _, call := range calls {
		if err := p.call(call.words); err != nil {
			problems = append(problems, problem{call.line, err.Error()})
		}
	}
	return problems
}

// call checks one simple command.
func (p *prover) call(words []string) error {
	name, args := words[0], words[1:]
	switch {
	case strings.HasPrefix(name, "$"):
		return nil // it is known when it runs
	case name == "task" || path.Base(name) == "task" && strings.HasPrefix(name, "."):
		return p.task(args)
	case name == "workbook" || strings.HasSuffix(name, ".workbook/bin/workbook"):
		return p.workbook(args)
	case strings.Contains(name, "/"):
		info, err := os.Stat(filepath.Join(p.Root, name))
		switch {
		case filepath.IsAbs(name):
			return fmt.Errorf("%s: a reader may have it elsewhere; show its name alone", name)
		case err != nil:
			return fmt.Errorf("there is no program %s in the workbook", name)
		case info.IsDir() || info.Mode()&0o111 == 0:
			return fmt.Errorf("%s cannot be executed: chmod +x %s", name, name)
		}
	case allowed[name] == "":
		return fmt.Errorf("%s is not among the commands that a reader has: use another one, or add it to harness/judge/words/allow.go with a reason", name)
	}
	if makers[name] {
		return nil
	}
	return p.pathsIn(args)
}

// pathsIn checks the words of a command that are paths of the workbook.
func (p *prover) pathsIn(args []string) error {
	for i, arg := range args {
		if i > 0 && args[i-1] == "--out" {
			continue // it is made
		}
		if _, value, ok := strings.Cut(arg, "="); ok {
			arg = value
		}
		if looksLikePath(arg) {
			if err := p.exists(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

// task checks the arguments of task: names of tasks, and their variables.
func (p *prover) task(args []string) error {
	args, open := plain(args)
	dashes := slices.Index(args, "--")
	if dashes >= 0 {
		args = args[:dashes]
	}
	var names, keys []string
	for _, arg := range args {
		key, value, isVariable := strings.Cut(arg, "=")
		switch {
		case strings.HasPrefix(arg, "-"):
			if !taskFlags[arg] {
				return fmt.Errorf("%s is not among the flags of task that a reader needs: leave it out, or add it to harness/judge/words/allow.go", arg)
			}
		case isVariable:
			keys = append(keys, key)
			if err := p.chapter(key, value); err != nil {
				return err
			}
		default:
			names = append(names, arg)
		}
	}
	if len(names) == 0 && !open {
		names = []string{"default"}
	}
	for _, name := range names {
		t, ok := p.tasks.tasks[name]
		if !ok || t.internal {
			return fmt.Errorf("there is no task %s; the tasks are %s", name, strings.Join(p.tasks.names(), ", "))
		}
		for _, key := range keys {
			if !t.uses[key] {
				return fmt.Errorf("task %s takes no %s=; it takes %s", name, key, t.keys())
			}
		}
		if dashes >= 0 && !t.arguments {
			return fmt.Errorf("task %s takes nothing after --", name)
		}
	}
	return p.pathsIn(args)
}

// workbook checks the arguments of the workbook's program.
func (p *prover) workbook(args []string) error {
	args, _ = plain(args)
	for i, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok && i+1 < len(args) {
			value = args[i+1]
		}
		if name == "--chapter" {
			if err := p.chapter("chapter", value); err != nil {
				return err
			}
		}
		// A number is good for every kind of flag.
		if ok && placeholder.MatchString(value) {
			args[i] = name + "=1"
		} else if placeholder.MatchString(arg) {
			args[i] = "1"
		}
	}
	if p.Parse == nil {
		return nil
	}
	if err := p.Parse(args); err != nil {
		return fmt.Errorf("workbook %s: %w", strings.Join(args, " "), err)
	}
	return p.pathsIn(args)
}

// chapter checks the value of chapter=.
func (p *prover) chapter(key, value string) error {
	if key != "chapter" || p.Chapter == nil || value == "" || placeholder.MatchString(value) || strings.Contains(value, "$") {
		return nil
	}
	return p.Chapter(value)
}

// plain takes the [brackets] off and leaves out the words with "…"; open says
// whether there was one.
func plain(args []string) (out []string, open bool) {
	for _, arg := range args {
		if strings.Contains(arg, "…") {
			open = true
			continue
		}
		if arg = strings.TrimRight(strings.TrimLeft(arg, "["), "]"); arg != "" {
			out = append(out, arg)
		}
	}
	return out, open
}
