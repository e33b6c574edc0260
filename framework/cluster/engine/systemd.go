// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// dropIn changes docker.service until the next boot or Stop, whichever is first.
const dropIn = "/run/systemd/system/docker.service.d/cniproof.conf"

// underSystemd reports whether systemd is the init system (sd_booted(3)).
func underSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// startUnit starts docker.service with our settings file.
func (m *machine) startUnit(ctx context.Context, settingsFile string) error {
	show, err := run(ctx, "systemctl", "show", "--property=ExecStart", "--value", "docker.service")
	if err != nil {
		return err
	}
	line, err := execStart(show)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dropIn), 0o755); err != nil {
		return fmt.Errorf("create the directory of the unit's drop-in: %w", err)
	}
	text := fmt.Sprintf("[Service]\nExecStart=\nExecStart=%s --config-file=%s\n", line, settingsFile)
	if err := replaceFile(dropIn, []byte(text)); err != nil {
		return err
	}
	m.record.Systemd = true
	if err := m.record.save(m.dir); err != nil {
		return err
	}
	if _, err := run(ctx, "systemctl", "daemon-reload"); err != nil {
		return err
	}
	// A fresh package may have started it already, without our settings.
	if _, err := run(ctx, "systemctl", "restart", "docker.service"); err != nil {
		log, logErr := run(ctx, "journalctl", "--no-pager", "--lines=10", "--unit=docker.service")
		return errors.Join(fmt.Errorf("%w; its log ends with:\n%s", err, log), logErr)
	}
	pid, err := run(ctx, "systemctl", "show", "--property=MainPID", "--value", "docker.service")
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(pid)
	if err != nil {
		return fmt.Errorf("parse the main process of docker.service: %w", err)
	}
	m.record.Dockerd, err = lookUp(number)
	return err
}

func (m *machine) stopUnit(ctx context.Context) error {
	if m.record.Dockerd.alive() {
		// The socket would start the engine again at the next call of a client.
		if _, err := run(ctx, "systemctl", "stop", "docker.socket", "docker.service"); err != nil {
			return err
		}
	}
	if err := os.Remove(dropIn); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the unit's drop-in: %w", err)
	}
	_, err := run(ctx, "systemctl", "daemon-reload")
	return err
}

// execStart returns the command line in the value of a service's ExecStart
// property as systemctl shows it: "{ path=... ; argv[]=... ; ignore_errors=no ; ... }".
func execStart(value string) (string, error) {
	_, rest, found := strings.Cut(value, "argv[]=")
	line, _, ended := strings.Cut(rest, " ; ")
	if !found || !ended || line == "" {
		return "", fmt.Errorf("find the command line of docker.service in %q", value)
	}
	return line, nil
}
