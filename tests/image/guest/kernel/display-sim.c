// SPDX-License-Identifier: GPL-2.0
/*
 * An I2C bus with one device on it, which takes every write and says nothing: an OLED's side of
 * the wire. What was written lies in debugfs, display-sim/log: for each message two bytes of
 * length, high byte first, and the message. A log that is full begins anew. With the parameter
 * "unplugged" nobody answers.
 */
#include <linux/debugfs.h>
#include <linux/i2c.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#define BUS 1
#define ADDRESS 0x3c
#define LOG_BYTES (4 << 20)

static bool unplugged;
module_param(unplugged, bool, 0644);

static struct debugfs_blob_wrapper written;
static struct dentry *folder;

static void note(const struct i2c_msg *message)
{
	u8 *at;

	if (written.size + message->len + 2 > LOG_BYTES)
		written.size = 0;
	at = (u8 *)written.data + written.size;
	at[0] = message->len >> 8;
	at[1] = message->len & 0xff;
	memcpy(at + 2, message->buf, message->len);
	written.size += message->len + 2;
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (messages[i].addr != ADDRESS || unplugged)
			return -EREMOTEIO;
		if (messages[i].flags & I2C_M_RD)
			memset(messages[i].buf, 0, messages[i].len);
		else
			note(&messages[i]);
	}
	return count;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = functionality,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.name = "simulated display",
	.algo = &algorithm,
	.nr = BUS,
};

static int __init begin(void)
{
	int result;

	written.data = vzalloc(LOG_BYTES);
	if (!written.data)
		return -ENOMEM;
	folder = debugfs_create_dir("display-sim", NULL);
	debugfs_create_blob("log", 0400, folder, &written);
	result = i2c_add_numbered_adapter(&adapter);
	if (result) {
		debugfs_remove_recursive(folder);
		vfree(written.data);
	}
	return result;
}

static void __exit end(void)
{
	i2c_del_adapter(&adapter);
	debugfs_remove_recursive(folder);
	vfree(written.data);
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("simulated I2C display, for tests");
