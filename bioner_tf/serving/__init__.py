"""The SavedModel: its graph, its export, and the files next to it.

Takes functions and files, never a Keras object or a module of ``models``. Uses ``sources``,
``layers``, ``text``, ``corpora`` and ``pages``; imported by ``training``, ``tagging`` and ``cli``.

From a Keras network to the saved graph::

    Keras models (training)        own the variables; not saved
          | functions of tensors: encode, one score for each corpus (ServedTagger)
    TracedFunction                 the function as a GraphDef, and the variables that it reads
          |
    PackedWeights                  owns the saved copy: ONE vector with all weights that are read
          | bind()                 as a whole, and the tables whose rows are looked up
    TaggerGraph (tf.Module)        owns the packed weights and the vocabulary look-up tables
          |
    signatures (tf.function)       text -> tokens -> chunks -> encode -> score -> decode -> entities
          |                        of each corpus -> merging (tag_text_all)
    tf.saved_model.save            + metadata, model card, warm-up requests (export_tagger)

Keras objects in a ``tf.Module`` would save megabytes of graph for every layer and call variant, and
each variable costs about 100 bytes in every function that passes it on. ``packing`` therefore
copies the traced functions into a graph with a single packed variable. The values do not change.
"""
