/* RSA-2048 private-key operations, eight at a time, by libcrypto_mb (AVX-512 IFMA); each result is verified.
 *
 * sign(lanes) -> list of bytes or None. A lane is (encoded message, key): 256 octets big-endian, as EMSA-PKCS1-v1_5
 * (RFC 8017 section 9.2) makes them, and p | q | dP | dQ | qInv (128 octets each) | n (256 octets), little-endian.
 * None stands for a lane whose result raised to 65537 is not the encoded message again: a fault in one half of the
 * Chinese remainder computation gives away the key to whoever sees it. The interpreter lock is let go meanwhile.
 *
 * The library reads keys in the time their length takes, and wipes its own scratch memory.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define BN_OPENSSL_DISABLE
#include <crypto_mb/cpu_features.h>
#include <crypto_mb/rsa.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
#define BITS 2048
#define MODULUS_OCTETS 256
#define PRIME_OCTETS 128
#define KEY_OCTETS (5 * PRIME_OCTETS + MODULUS_OCTETS)

/* What the library has for OpenSSL's big numbers is linked in with it and never called. */
int BN_bn2lebinpad(const void *number, unsigned char *to, int length);
int BN_num_bits(const void *number);
int BN_bn2lebinpad(const void *number, unsigned char *to, int length) {
    (void)number, (void)to, (void)length;
    abort();
}
int BN_num_bits(const void *number) {
    (void)number;
    abort();
}

struct batch {
    int count;
    const int8u *message[LANES];
    int8u signature[LANES][MODULUS_OCTETS], again[LANES][MODULUS_OCTETS];
    /* Aligned for the library, and not the caller's objects, which may be anywhere. */
    int64u key[LANES][KEY_OCTETS / 8];
};

static void wipe(void *memory, size_t octets) {
    volatile unsigned char *at = memory;
    while (octets--) *at++ = 0;
}

/* Return whether the memory was there; signatures that are not good are left to `is_good`. */
static int compute(struct batch *batch) {
    const mbx_RSA_Method *private_method = mbx_RSA2K_private_crt_Method(), *public_method = mbx_RSA2K_pub65537_Method();
    int private_size = mbx_RSA_Method_BufSize(private_method), public_size = mbx_RSA_Method_BufSize(public_method);
    int size = private_size > public_size ? private_size : public_size;
    int8u *scratch = malloc((size_t)size);
    const int8u *from[LANES] = {0};
    int8u *to[LANES] = {0}, *again[LANES] = {0};
    const int64u *part[6][LANES] = {{0}};

    if (scratch == NULL) return 0;
    for (int lane = 0; lane < batch->count; lane++) {
        from[lane] = batch->message[lane];
        to[lane] = batch->signature[lane];
        again[lane] = batch->again[lane];
        for (int i = 0; i < 6; i++) part[i][lane] = batch->key[lane] + i * (PRIME_OCTETS / 8);
    }
    mbx_rsa_private_crt_mb8(from, to, part[0], part[1], part[2], part[3], part[4], BITS, private_method, scratch);
    for (int lane = 0; lane < batch->count; lane++) from[lane] = batch->signature[lane];
    mbx_rsa_public_mb8(from, again, part[5], BITS, public_method, scratch);
    wipe(scratch, (size_t)size);
    free(scratch);
    return 1;
}

static int is_good(const struct batch *batch, int lane) {
    return memcmp(batch->again[lane], batch->message[lane], MODULUS_OCTETS) == 0;
}

/* Fill the batch from the lanes; the messages are the caller's. Return 0 with an exception set if they are wrong. */
static int read_lanes(PyObject *lanes, struct batch *batch) {
    Py_ssize_t count = PyTuple_GET_SIZE(lanes);
    if (count < 1 || count > LANES) {
        PyErr_Format(PyExc_ValueError, "1 to %d lanes, not %zd", LANES, count);
        return 0;
    }
    batch->count = (int)count;
    for (int lane = 0; lane < batch->count; lane++) {
        const char *message, *key;
        Py_ssize_t message_octets, key_octets;
        PyObject *pair = PyTuple_GET_ITEM(lanes, lane);
        if (!PyTuple_Check(pair)) {
            PyErr_SetString(PyExc_TypeError, "a lane is a tuple (encoded message, key)");
            return 0;
        }
        if (!PyArg_ParseTuple(pair, "y#y#", &message, &message_octets, &key, &key_octets)) return 0;
        if (message_octets != MODULUS_OCTETS || key_octets != KEY_OCTETS) {
            PyErr_Format(PyExc_ValueError, "an encoded message has %d octets and a key %d", MODULUS_OCTETS, KEY_OCTETS);
            return 0;
        }
        batch->message[lane] = (const int8u *)message;
        memcpy(batch->key[lane], key, KEY_OCTETS);
    }
    return 1;
}

static PyObject *sign(PyObject *module, PyObject *lanes) {
    struct batch batch;
    int computed = 0;
    PyObject *result = NULL;
    (void)module;
    if (!PyTuple_Check(lanes)) {
        PyErr_SetString(PyExc_TypeError, "lanes is a tuple");
        return NULL;
    }
    memset(&batch, 0, sizeof batch);
    if (!read_lanes(lanes, &batch)) goto end;
    Py_BEGIN_ALLOW_THREADS
    computed = compute(&batch);
    Py_END_ALLOW_THREADS
    if (!computed) {
        PyErr_NoMemory();
        goto end;
    }
    result = PyList_New(batch.count);
    for (int lane = 0; result != NULL && lane < batch.count; lane++) {
        PyObject *one = Py_None;
        if (is_good(&batch, lane)) {
            one = PyBytes_FromStringAndSize((const char *)batch.signature[lane], MODULUS_OCTETS);
        } else {
            Py_INCREF(one);
        }
        if (one == NULL) {
            Py_CLEAR(result);
            break;
        }
        PyList_SET_ITEM(result, lane, one);
    }
end:
    wipe(&batch, sizeof batch);
    return result;
}

static PyObject *is_applicable(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyBool_FromLong(mbx_is_crypto_mb_applicable(0) != 0);
}

static PyMethodDef methods[] = {
    {"sign", sign, METH_O, "sign(lanes) -> list of signatures; None for one that failed its verification."},
    {"is_applicable", is_applicable, METH_NOARGS, "Whether this processor has what the library needs."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "gatepost_batch_signing._rsa", .m_size = 0, .m_methods = methods,
};

PyMODINIT_FUNC PyInit__rsa(void) { return PyModule_Create(&definition); }
