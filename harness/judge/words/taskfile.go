package words

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// taskfile is what Taskfile.yml says of the tasks. It is read by its
// indentation: a name at two blanks below "tasks:" or "vars:" begins an entry,
// and all that is deeper belongs to it. A YAML parser would cost a dependency
// for four lines of grammar.
type taskfile struct {
	tasks map[string]task
}

type task struct {
	internal  bool            // not for readers
	arguments bool            // takes what stands after --
	uses      map[string]bool // the variables that a reader can set
}

var (
	entryLine = regexp.MustCompile(`^  ([A-Za-z0-9_:-]+):(.*)$`)
	template  = regexp.MustCompile(`\{\{.*?\}\}`)
	reference = regexp.MustCompile(`\.([A-Za-z_]\w*)`)
	settable  = regexp.MustCompile(`^[a-z]`)
)

func readTaskfile(path string) (taskfile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return taskfile{}, err
	}
	sections := map[string]map[string]string{"vars": {}, "tasks": {}}
	var section, entry string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		if t := strings.TrimSpace(line); t == "" || strings.HasPrefix(t, "#") {
			continue
		}
		if line[0] != ' ' {
			section, _, _ = strings.Cut(line, ":")
			entry = ""
			continue
		}
		if sections[section] == nil {
			continue
		}
		if m := entryLine.FindStringSubmatch(line); m != nil {
			entry, line = m[1], m[2]
		}
		sections[section][entry] += line + "\n"
	}
	f := taskfile{tasks: map[string]task{}}
	for name, body := range sections["tasks"] {
		t := task{internal: strings.Contains(body, "\n    internal: true\n"), uses: map[string]bool{}}
		t.gather(body, sections["vars"], map[string]bool{})
		f.tasks[name] = t
	}
	if len(f.tasks) == 0 {
		return f, fmt.Errorf("%s: found no task in it: names stand at two blanks below \"tasks:\"", path)
	}
	return f, nil
}

// gather follows the variables of a text: CHAPTER may be made of chapter.
func (t *task) gather(text string, vars map[string]string, seen map[string]bool) {
	for _, templ := range template.FindAllString(text, -1) {
		for _, m := range reference.FindAllStringSubmatch(templ, -1) {
			name := m[1]
			if seen[name] {
				continue
			}
			seen[name] = true
			if name == "CLI_ARGS" {
				t.arguments = true
			}
			if body, ok := vars[name]; ok {
				t.gather(body, vars, seen)
			} else if settable.MatchString(name) {
				t.uses[name] = true
			}
		}
	}
}

// keys lists the variables of a task.
func (t task) keys() string {
	var keys []string
	for key := range t.uses {
		keys = append(keys, key+"=")
	}
	if len(keys) == 0 {
		return "none"
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// names lists the tasks that are for readers.
func (f taskfile) names() []string {
	var names []string
	for name, t := range f.tasks {
		if !t.internal && name != "default" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
