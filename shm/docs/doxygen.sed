# Comments as Doxygen wants them: /// in front of what they describe, ///< behind it.
s|^\( *\)// |\1/// |
s|\([;,{)]  *\)// |\1///< |
