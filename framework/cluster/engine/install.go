// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
)

// install puts Debian's docker.io on this machine.
func (m *machine) install(ctx context.Context) error {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !isDebian(string(release)) {
		return errors.New("no Docker engine is installed and this is not Debian: " +
			"install Docker (https://docs.docker.com/engine/install/), start it and try again")
	}
	if os.Geteuid() != 0 {
		return errors.New("no Docker engine is installed and this user may not install one: " +
			"run \"sudo apt-get install docker.io\", add the user to the group docker and try again")
	}
	err = m.step("fetching the package lists (apt-get update)", func() error {
		_, err := run(ctx, "apt-get", "update", "-q")
		return err
	})
	if err != nil {
		return err
	}
	packages := []string{"docker.io", "iptables", "iproute2"}
	return m.step("installing "+strings.Join(packages, ", "), func() error {
		if err := aptInstall(ctx, packages...); err != nil {
			return err
		}
		if _, err := find("docker"); err == nil {
			return nil
		}
		return aptInstall(ctx, "docker-cli") // a package of its own since Debian 13
	})
}

func aptInstall(ctx context.Context, packages ...string) error {
	args := []string{"install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}
	_, err := run(ctx, "apt-get", append(args, packages...)...)
	return err
}

// isDebian reads os-release(5): Debian itself or a system that is like it.
func isDebian(release string) bool {
	for line := range strings.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key != "ID" && key != "ID_LIKE" {
			continue
		}
		if slices.Contains(strings.Fields(strings.Trim(value, `"'`)), "debian") {
			return true
		}
	}
	return false
}
