/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands in front of vimc's lens: noise that a number chooses, so that a test knows every
 * byte of a frame and no two scenes share any. tests/image/scene.py says the same in Python.
 */
#include <linux/moduleparam.h>
#include <linux/types.h>

static unsigned int scene = 1;
module_param(scene, uint, 0644);

static void scene_fill(void *frame, size_t bytes)
{
	u32 number = READ_ONCE(scene) * 0x9e3779b9u;
	u32 *words = frame;
	size_t i;

	for (i = 0; i < bytes / 4; i++) {
		u32 noise = (u32)i * 0x9e3779b1u + number;

		noise ^= noise >> 15;
		noise *= 0x85ebca6bu;
		noise ^= noise >> 13;
		words[i] = (noise & 0x1f1f1f1fu) + 0x70707070u;
	}
}
