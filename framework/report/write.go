// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// files are what Write writes, in order: what a gate reads comes first.
var files = []struct {
	name   string
	render func(Run) ([]byte, error)
}{
	{"verdict.json", func(run Run) ([]byte, error) { return encode(Judge(run)) }},
	{"report.json", func(run Run) ([]byte, error) { return encode(run) }},
	{"junit.xml", junit},
	{"summary.md", func(run Run) ([]byte, error) { return []byte(markdown(run)), nil }},
	{"report.html", page},
}

// Write writes verdict.json, report.json, junit.xml, summary.md and report.html
// to dir, which it makes when it does not exist. Each file is replaced at once,
// so that a reader, or a run that is killed, always finds a whole one. It is
// cheap enough to be called after each check.
func Write(dir string, run Run) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory for reports: %w", err)
	}
	run.SchemaVersion = schemaVersion
	for _, file := range files {
		data, err := file.render(run)
		if err != nil {
			return fmt.Errorf("write %s: %w", file.name, err)
		}
		if err := replace(filepath.Join(dir, file.name), data); err != nil {
			return fmt.Errorf("write %s: %w", file.name, err)
		}
	}
	return nil
}

// replace puts a whole file in the place of path.
func replace(path string, data []byte) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(fresh.Name()) // nothing is there after the rename
	_, err = fresh.Write(data)
	if err == nil {
		err = fresh.Chmod(0o644)
	}
	if closeErr := fresh.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(fresh.Name(), path)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // commands and log lines stay readable
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// Read returns the Run of report.json in dir.
func Read(dir string) (Run, error) {
	var run Run
	err := decode(filepath.Join(dir, "report.json"), &run)
	if err == nil && run.SchemaVersion != schemaVersion {
		err = fmt.Errorf("read %s: it has schema version %d, want %d", filepath.Join(dir, "report.json"), run.SchemaVersion, schemaVersion)
	}
	return run, err
}

// ReadVerdict returns the verdict of the file, e.g. _artifacts/x/verdict.json.
func ReadVerdict(path string) (Verdict, error) {
	var v Verdict
	err := decode(path, &v)
	if err == nil && v.SchemaVersion != schemaVersion {
		err = fmt.Errorf("read %s: it has schema version %d, want %d", path, v.SchemaVersion, schemaVersion)
	}
	return v, err
}

func decode(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
